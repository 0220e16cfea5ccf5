"""From items that want something to blocks of units with their expected profit, and from a choice among them to allotments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS, curve_shortage
from services.policy.domain.columns import DAYS_PER_YEAR, Columns, Floats
from services.policy.domain.evidence import Allotment, Evidence
from services.policy.domain.levels import Levels
from services.policy.domain.lots import Lots
from services.policy.domain.numbers import decimal_of
from services.policy.domain.reckoning import reckon
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.selection import Blocks, Selection, choose_closely

# An order of many packs is cut into at most this many blocks beyond its smallest one: fine enough for the list.
BLOCKS_MAX = 16
CHUNK_ITEMS = 2_048
# Profit of units that only the service goal asks for, per unit of cost: above zero, below any that pays.
LEAST_PROFIT = 1e-6
CASH, VOLUME = "cash", "volume_m3"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use at most: money in the tenant's currency, cubic metres, units of each supplier. None: no limit."""

    cash: Decimal | None = None
    volume_m3: Decimal | None = None
    supplier_units: Mapping[str, Decimal] | None = None

    @staticmethod
    def of(*, cash: str | None = None, volume_m3: str | None = None) -> "Budget":
        """From contract strings."""
        return Budget(None if cash is None else Decimal(cash), None if volume_m3 is None else Decimal(volume_m3))

    @property
    def resources(self) -> tuple[str, ...]:
        """Names of the scarce resources, in the order of the columns of `Blocks.uses`."""
        suppliers = [f"supplier:{name}" for name in sorted(self.supplier_units or {})]
        fixed = ((CASH, self.cash), (VOLUME, self.volume_m3))
        return (*(name for name, limit in fixed if limit is not None), *suppliers)

    @property
    def capacities(self) -> tuple[float, ...]:
        """How much there is of each resource."""
        given = {CASH: self.cash, VOLUME: self.volume_m3}
        suppliers = {f"supplier:{name}": limit for name, limit in (self.supplier_units or {}).items()}
        return tuple(float((given | suppliers)[name] or 0) for name in self.resources)


@dataclass(frozen=True, slots=True)
class Scarce:
    """The outcome: what each item that wants something may have, and what the limits cost. Keyed by place."""

    allotments: Mapping[int, Allotment]
    selection: Selection
    resources: tuple[str, ...]
    capacities: tuple[float, ...]


def allot(evidences: Sequence[Evidence], budget: Budget, volumes_m3: Sequence[float] | None = None) -> Scarce:
    """Choose among all items' units under the budget. `volumes_m3`: space of one unit of each item.

    An item that can be planned and wants something gets an allotment, of 0 units if nothing was left for it.
    """
    parts = [_wants(evidences, start) for start in range(0, len(evidences), CHUNK_ITEMS)]
    place, units, profit, cost = (np.concatenate([one[index] for one in parts]) for index in range(4))
    items = place.astype(np.int64)
    uses = _uses(evidences, budget, items, units, cost, volumes_m3)
    blocks = Blocks(items, units, profit, uses)
    selection = choose_closely(blocks, budget.capacities)
    return Scarce(_allotments(blocks, selection, budget.resources), selection, budget.resources, budget.capacities)


def _allotments(blocks: Blocks, selection: Selection, resources: tuple[str, ...]) -> dict[int, Allotment]:
    binding = [index for index, price in enumerate(selection.prices) if price > 0]
    found: dict[int, Allotment] = {}
    if not len(blocks.item):
        return found
    starts = np.flatnonzero(np.diff(blocks.item, prepend=-1))
    ends = np.append(starts[1:], len(blocks.item))
    given = np.add.reduceat(np.where(selection.taken, blocks.units, 0.0), starts)
    for start, end, granted in zip(starts.tolist(), ends.tolist(), given.tolist(), strict=True):
        used = [index for index in binding if blocks.uses[start, index] > 0]
        scarce = max(used, key=lambda index: blocks.uses[start, index] * selection.prices[index], default=None)
        found[int(blocks.item[start])] = Allotment(
            quantity=decimal_of(granted),
            resource=resources[scarce] if scarce is not None else "none",
            shadow_price=decimal_of(float(selection.prices[scarce])) if scarce is not None else Decimal(0),
            rank=int(selection.rank[start:end].min()),
        )
    return found


def _wants(evidences: Sequence[Evidence], start: int) -> tuple[Floats, Floats, Floats, Floats]:
    """(place, units, profit, cost per unit) of the blocks of one chunk."""
    ready = []
    for place in range(start, min(start + CHUNK_ITEMS, len(evidences))):
        found = screen(heeded(evidences[place]))
        if not isinstance(found, Fault):
            ready.append((place, found))
    if not ready:
        return np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)
    reckoned = reckon([evidences[place] for place, _found in ready], [found for _place, found in ready])
    columns = reckoned.columns
    rows, units, profit = blocks_of(columns, reckoned.levels, reckoned.lots)
    places = np.asarray([place for place, _found in ready], dtype=np.float64)
    return places[rows], units, profit, columns.unit_cost[rows]


def blocks_of(columns: Columns, levels: Levels, lots: Lots) -> tuple[NDArray[np.int64], Floats, Floats]:
    """(row, units, expected profit) of each block: the smallest order, then whole packs up to the wanted quantity."""
    rows = np.flatnonzero(lots.quantity > 0)
    total, pack = lots.quantity[rows], columns.pack[rows]
    first = np.minimum(lots.smallest[rows], total)
    packs = np.round((total - first) / pack)
    per_block = np.maximum(np.ceil(packs / BLOCKS_MAX), 1.0)
    counts = 1 + np.ceil(packs / per_block).astype(np.int64)
    row = np.repeat(np.arange(len(rows)), counts)
    index = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    reached = np.minimum(first[row] + index * per_block[row] * pack[row], total[row])
    before = np.where(index == 0, 0.0, np.minimum(first[row] + (index - 1) * per_block[row] * pack[row], total[row]))
    prospect = Prospect.of(columns, lots, rows.astype(np.int64))
    position = levels.position[rows]
    without = prospect.profit(columns, position)
    at_end = np.zeros(len(row))
    for step in range(int(index.max()) + 1 if len(index) else 0):
        chosen = np.flatnonzero(index == step)
        stock = position.copy()
        stock[row[chosen]] += reached[chosen]
        at_end[chosen] = prospect.profit(columns, stock)[row[chosen]]
    at_start = np.where(index == 0, without[row], np.concatenate([[0.0], at_end[:-1]]))
    units = reached - before
    # What the service goal asks for beyond what pays is bought last, but it is bought where nothing is scarce.
    least = LEAST_PROFIT * columns.unit_cost[rows][row] * units
    return rows[row].astype(np.int64), units, np.maximum(at_end - at_start, least)


@dataclass(frozen=True, slots=True)
class Prospect:
    """What items' stock is worth over the time it is meant for: until the next receipt but one, or as long as the order
    lasts when that is longer (at most the forecast's horizon). `curves`: cumulative demand over `days`."""

    rows: NDArray[np.int64]
    days: Floats
    curves: Floats
    expected: Floats

    @staticmethod
    def of(columns: Columns, lots: Lots, rows: NDArray[np.int64]) -> "Prospect":
        """The prospect of some rows."""
        days = np.clip(np.maximum(columns.protection_days[rows], lots.cover_after_days[rows]), 1.0, float(DAYS))
        curves = columns.demand.rows(rows).curve(days)
        return Prospect(rows, days, curves, curve_shortage(curves, 0.0))

    def profit(self, columns: Columns, stock: Floats) -> Floats:
        """Expected money that `stock` units earn: margin on what is sold of them, less holding what is not.

        P(D >= k) x margin - P(D < k) x overage, summed over the units. Source: Silver, Pyke & Thomas, section 9.2.
        """
        short = curve_shortage(self.curves, stock)
        left = np.maximum(stock - self.expected + short, 0.0)
        overage = columns.holding_cost[self.rows] * self.days / DAYS_PER_YEAR
        earned: Floats = -columns.margin[self.rows] * short - overage * left
        return earned


def _uses(
    evidences: Sequence[Evidence],
    budget: Budget,
    items: NDArray[np.int64],
    units: Floats,
    cost: Floats,
    volumes_m3: Sequence[float] | None,
) -> Floats:
    columns: list[Floats] = []
    for name in budget.resources:
        if name == CASH:
            columns.append(units * cost)
        elif name == VOLUME:
            space = np.asarray(volumes_m3 if volumes_m3 is not None else np.zeros(len(evidences)), dtype=np.float64)
            columns.append(units * space[items])
        else:
            wanted = name.removeprefix("supplier:")
            found = [one.terms is not None and one.terms.supplier == wanted for one in evidences]
            columns.append(units * np.asarray(found, dtype=np.float64)[items])
    return np.stack(columns, axis=1) if columns else np.zeros((len(units), 0))
