"""Cumulative demand as every service understands it: quantiles, probabilities, shortages and paths from nodes.

A forecast gives quantiles of the demand *cumulated* over node horizons. Everything else is read off one
piecewise-linear quantile function: linear in probability between levels, linear in days between node horizons.
Arrays hold one row per item; a scalar argument counts for all rows. Only additions, subtractions, products,
quotients and comparisons are used,
element by element, so that a number computed again elsewhere, or for one item instead of a thousand, is the same bit
for bit (which `numpy.sum`, `exp` or a matrix product would not promise).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

HORIZONS_DAYS: tuple[int, ...] = (1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 56)
LEVELS: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
DAYS = HORIZONS_DAYS[-1]
# The quantile function is drawn through these probabilities: the published levels and both ends of the support.
GRID: tuple[float, ...] = (0.0, *LEVELS, 1.0)
# 60 halvings bring any bracket below the distance of two neighbouring doubles.
HALVINGS = 60
# Rows of a mixture that are asked together: fewer, and calling numpy costs more than its arithmetic; more, and their pieces
# leave the processor's cache.
BLOCK_ROWS = 256


class HorizonExceeded(ValueError):
    """Asked for demand beyond the forecast horizon."""


@dataclass(frozen=True, slots=True)
class DemandTable:
    """Distributions of n items. `mean_cumulative`: (n, 57), units until the end of day 0..56 after the origin.
    `nodes`: (n, 12, 13), units; axis 1 = horizon 0 and the node horizons, axis 2 = probabilities of `GRID`."""

    mean_cumulative: Floats
    nodes: Floats

    @staticmethod
    def from_units(mean_by_day: ArrayLike, quantiles: ArrayLike) -> "DemandTable":
        """From expected units by day (n, 56) and cumulative quantiles in units (n, 11, 11).

        The support starts at 0. It ends above the last level by as much as the last level lies above the one before
        it: one more step of the same length, as a bounded stand-in for the tail beyond 99.9 %.
        """
        means = np.atleast_2d(np.asarray(mean_by_day, dtype=np.float64))
        inner = np.asarray(quantiles, dtype=np.float64)
        inner = inner[np.newaxis] if inner.ndim == 2 else inner
        count = means.shape[0]
        if means.shape[1] != DAYS or inner.shape != (count, len(HORIZONS_DAYS), len(LEVELS)):
            raise ValueError(f"needs means (n, {DAYS}) and quantiles (n, 11, 11), got {means.shape} and {inner.shape}")
        if not (np.isfinite(means).all() and np.isfinite(inner).all()):
            raise ValueError("means and quantiles must be finite")
        cumulative = np.zeros((count, DAYS + 1))
        for day in range(DAYS):  # a running sum in a fixed order; numpy's own may regroup its terms
            cumulative[:, day + 1] = cumulative[:, day] + means[:, day]
        nodes = np.zeros((count, len(HORIZONS_DAYS) + 1, len(GRID)))
        nodes[:, 1:, 1:-1] = inner
        nodes[:, 1:, -1] = inner[:, :, -1] + (inner[:, :, -1] - inner[:, :, -2])
        return DemandTable(cumulative, nodes)

    @staticmethod
    def from_event(mean_e4: Sequence[Sequence[int]], quantiles_e2: Sequence[Sequence[Sequence[int]]]) -> "DemandTable":
        """From the integers of `schemas.forecasts.DemandDistribution`, one entry per item."""
        means = np.asarray(mean_e4, dtype=np.float64) / 10_000.0
        return DemandTable.from_units(means, np.asarray(quantiles_e2, dtype=np.float64) / 100.0)

    def __len__(self) -> int:
        return int(self.mean_cumulative.shape[0])

    def rows(self, index: ArrayLike) -> "DemandTable":
        """The table of some of its items (indices or a mask)."""
        chosen = np.asarray(index)
        return DemandTable(self.mean_cumulative[chosen], self.nodes[chosen])

    def mean(self, days: ArrayLike) -> Floats:
        """Expected cumulative demand, units, over `days` (fractions allowed)."""
        span = self._days(days)
        below = np.minimum(span.astype(np.int64), DAYS - 1)
        rows = np.arange(len(self))
        low, high = self.mean_cumulative[rows, below], self.mean_cumulative[rows, below + 1]
        read: Floats = low + (high - low) * (span - below)
        return read

    def curve(self, days: ArrayLike) -> Floats:
        """The quantile function over `days`: (n, 13) units at the probabilities of `GRID`."""
        span = self._days(days)
        marks = np.asarray((0, *HORIZONS_DAYS), dtype=np.float64)
        upper = np.clip(np.searchsorted(marks, span, side="left"), 1, len(marks) - 1)
        rows = np.arange(len(self))
        left, right = marks[upper - 1], marks[upper]
        share = ((span - left) / (right - left))[:, np.newaxis]
        low, high = self.nodes[rows, upper - 1], self.nodes[rows, upper]
        read: Floats = low + (high - low) * share
        return read

    def shortages_by_day(self, rows: ArrayLike, units: ArrayLike) -> Floats:
        """E[(D − units)+] of some items over 0, 1 … 56 days: (len(rows), 57), each from its own `units` of stock."""
        nodes = self.nodes[np.asarray(rows, dtype=np.int64)]
        low, high = nodes[:, _NODE_BEFORE], nodes[:, _NODE_BEFORE + 1]
        curves = (low + (high - low) * _SHARE_PAST_NODE).reshape(-1, len(GRID))
        stock = np.repeat(np.asarray(units, dtype=np.float64), DAYS + 1)
        return curve_shortage(curves, stock).reshape(-1, DAYS + 1)

    def quantile(self, days: ArrayLike, level: ArrayLike) -> Floats:
        """Smallest level of stock, units, that covers the demand over `days` with probability `level`."""
        return curve_quantile(self.curve(days), level)

    def probability_at_most(self, days: ArrayLike, units: ArrayLike) -> Floats:
        """P(demand over `days` ≤ `units`)."""
        return curve_probability(self.curve(days), units)

    def expected_shortage(self, days: ArrayLike, units: ArrayLike) -> Floats:
        """E[(D − units)+] over `days`, units: what cannot be served from `units` of stock."""
        return curve_shortage(self.curve(days), units)

    def _days(self, days: ArrayLike) -> Floats:
        span = np.broadcast_to(np.asarray(days, dtype=np.float64), (len(self),))
        if not bool(np.all((span >= 0) & (span <= DAYS))):
            raise HorizonExceeded(
                f"forecasts reach {DAYS} days; asked for {float(np.min(span))} to {float(np.max(span))}"
            )
        return span


def _spread(values: ArrayLike, count: int) -> Floats:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (count,))


def curve_quantile(curve: Floats, level: ArrayLike) -> Floats:
    """Read quantile curves (n, 13) at `level` in [0, 1]."""
    wanted = _spread(level, len(curve))
    if not bool(np.all((wanted >= 0) & (wanted <= 1))):
        raise ValueError("a probability lies between 0 and 1")
    grid = np.asarray(GRID)
    upper = np.clip(np.searchsorted(grid, wanted, side="left"), 1, len(grid) - 1)
    rows = np.arange(len(curve))
    low, high = curve[rows, upper - 1], curve[rows, upper]
    read: Floats = low + (high - low) * ((wanted - grid[upper - 1]) / (grid[upper] - grid[upper - 1]))
    return read


def curve_probability(curve: Floats, units: ArrayLike) -> Floats:
    """P(D ≤ units) under quantile curves (n, 13); at a flat stretch (a mass point) the upper probability."""
    return _certain(curve).probability_at_most(units)


def curve_shortage(curve: Floats, units: ArrayLike) -> Floats:
    """E[(D − units)+] under quantile curves: the area between the curve and `units`, exact for straight pieces."""
    return _certain(curve).expected_shortage(units)


def _certain(curve: Floats) -> "Mixture":
    """Curves of which each is the only case there is."""
    return Mixture((curve,), np.ones((len(curve), 1)))


def expected_units(curve: Floats) -> Floats:
    """E[D] under quantile curves, units: the shortage of an empty shelf."""
    return curve_shortage(curve, 0.0)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of quantile curves, as when lead time or a scenario is uncertain: `weights` (n, k) sum to 1 per row."""

    curves: tuple[Floats, ...]
    weights: Floats

    def probability_at_most(self, units: ArrayLike) -> Floats:
        """P(D ≤ units) over all cases."""
        return self._by_blocks(_Block.probability, units)

    def expected_shortage(self, units: ArrayLike) -> Floats:
        """E[(D − units)+] over all cases, units."""
        return self._by_blocks(_Block.shortage, units)

    def quantile(self, level: ArrayLike) -> Floats:
        """Smallest units with P(D ≤ units) ≥ level, by halving between the cases' own quantiles."""
        return self._by_blocks(_Block.quantile, level)

    def level_for_shortage(self, allowed: ArrayLike) -> Floats:
        """Smallest units whose expected shortage is at most `allowed` units: the order-up-to level for a fill rate."""
        return self._by_blocks(_Block.level_for_shortage, allowed)

    def _by_blocks(self, ask: "Callable[[_Block, Floats], Floats]", values: ArrayLike) -> Floats:
        """What each block of rows answers; a row's answer does not depend on the rows beside it."""
        each, count = _spread(values, len(self.weights)), len(self.weights)
        answers = [
            ask(_Block.of([curve[start:end] for curve in self.curves], self.weights[start:end]), each[start:end])
            for start, end in ((start, start + BLOCK_ROWS) for start in range(0, count, BLOCK_ROWS))
        ]
        return np.concatenate(answers) if answers else np.zeros(0)


def _weighed(weights: Floats, cases: Iterable[Floats]) -> Floats:
    total = np.zeros(len(weights))
    for case, values in enumerate(cases):  # a sum in a fixed order
        total = total + weights[:, case] * values
    return total


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows of a mixture laid out by the straight pieces of their k curves, (12, k, n) each: what halving asks sixty times is
    made once, and all pieces are read in one operation.
    """

    curves: Sequence[Floats]
    weights: Floats
    low: Floats
    high: Floats
    width: Floats
    divisor: Floats  # the width, or 1 where a piece is a mass point

    @staticmethod
    def of(curves: Sequence[Floats], weights: Floats) -> "_Block":
        stacked = np.ascontiguousarray(np.stack(curves).transpose(2, 0, 1))
        low, high = stacked[:-1], stacked[1:]
        width = high - low
        return _Block(curves, weights, low, high, width, np.where(width > 0, width, 1.0))

    def probability(self, units: Floats) -> Floats:
        """P(D ≤ units) over all cases."""
        with np.errstate(over="ignore"):  # a piece of the smallest width there is: its share is 1 all the same
            share = np.where(self.width > 0, (units - self.low) / self.divisor, 1.0)
        inside = _PIECE_FROM + _PIECE_MASS * np.minimum(share, 1.0)
        # Pieces rise from left to right, so that the highest reached one is the last one reached.
        return _weighed(self.weights, np.where(units >= self.low, inside, 0.0).max(axis=0))

    def shortage(self, units: Floats) -> Floats:
        """E[(D − units)+] over all cases."""
        low, high = self.low - units, self.high - units
        width = high - low
        whole = (low + high) * 0.5 * _PIECE_MASS
        above = np.maximum(high, 0.0)
        part = above * above * 0.5 * _PIECE_MASS / np.where(width > 0, width, 1.0)
        pieces = np.where(low >= 0, whole, np.where(high > 0, part, 0.0))
        total = pieces[0]
        for piece in pieces[1:]:  # a sum in a fixed order
            total = total + piece
        return _weighed(self.weights, total)

    def quantile(self, level: Floats) -> Floats:
        """Smallest units with P(D ≤ units) ≥ level."""
        each = [curve_quantile(curve, level) for curve in self.curves]
        low, high = each[0], each[0]
        for one in each[1:]:
            low, high = np.minimum(low, one), np.maximum(high, one)
        for _ in range(HALVINGS):
            middle = (low + high) * 0.5
            enough = self.probability(middle) >= level
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high

    def level_for_shortage(self, allowed: Floats) -> Floats:
        """Smallest units whose expected shortage is at most `allowed` units."""
        low, high = np.zeros(len(self.weights)), self.curves[0][:, -1]
        for curve in self.curves[1:]:
            high = np.maximum(high, curve[:, -1])
        enough_at_zero = self.shortage(low) <= allowed
        for _ in range(HALVINGS):
            middle = (low + high) * 0.5
            enough = self.shortage(middle) <= allowed
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.where(enough_at_zero, 0.0, high)


_PIECE_FROM = np.asarray(GRID[:-1])[:, np.newaxis, np.newaxis]
_PIECE_MASS = np.asarray([after - before for before, after in pairwise(GRID)])[:, np.newaxis, np.newaxis]


_MARKS = np.asarray((0, *HORIZONS_DAYS), dtype=np.float64)
_EVERY_DAY = np.arange(DAYS + 1, dtype=np.float64)
# The node before each day, and how far between it and the next the day lies.
_NODE_BEFORE = np.maximum(np.searchsorted(_MARKS, _EVERY_DAY, side="left"), 1) - 1
_SHARE_PAST_NODE = ((_EVERY_DAY - _MARKS[_NODE_BEFORE]) / (_MARKS[_NODE_BEFORE + 1] - _MARKS[_NODE_BEFORE]))[
    :, np.newaxis
]


def sample_paths(table: DemandTable, row: int, uniforms: Floats) -> Floats:
    """Demand paths of one item: (paths, 56) units by day, from uniforms (paths, 1 + 11) the caller drew.

    A path keeps one common rank (column 0) through all node horizons, disturbed a little at each node (columns 1..11),
    so that every cumulative total keeps its published distribution in the middle and never runs backwards. Within
    a node interval the path follows the expected shape of days.
    """
    common = uniforms[:, :1]
    mixed = np.clip(0.8 * common + 0.2 * uniforms[:, 1:], 0.0, 1.0)
    ranks: Floats = (np.argsort(np.argsort(mixed, axis=0), axis=0) + 0.5) / len(uniforms)
    totals = np.zeros((len(uniforms), len(HORIZONS_DAYS) + 1))
    for node in range(len(HORIZONS_DAYS)):
        curve = np.broadcast_to(table.nodes[row, node + 1], (len(uniforms), len(GRID)))
        totals[:, node + 1] = np.maximum(curve_quantile(curve, ranks[:, node]), totals[:, node])
    paths = np.zeros((len(uniforms), DAYS))
    marks = (0, *HORIZONS_DAYS)
    for node in range(1, len(marks)):
        first, last = marks[node - 1], marks[node]
        shape = table.mean_cumulative[row, first + 1 : last + 1] - table.mean_cumulative[row, first:last]
        total = float(np.sum(shape))
        shares = shape / total if total > 0 else np.full(last - first, 1.0 / (last - first))
        paths[:, first:last] = (totals[:, node] - totals[:, node - 1])[:, np.newaxis] * shares
    return paths
