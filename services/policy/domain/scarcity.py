"""From items that want something to blocks of units with their expected profit, and from a choice among them to allotments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

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

    def told(self) -> dict[str, Any]:
        """What people are told of it: use and shadow price of each resource, profit, and how far from the best it may be."""
        chosen = self.selection
        each = zip(self.resources, self.capacities, chosen.used.tolist(), chosen.prices.tolist(), strict=True)
        return {
            "resources": {
                name: {"capacity": limit, "used": round(used, 4), "shadow_price": round(price, 6)}
                for name, limit, used, price in each
            },
            "expected_profit": round(chosen.profit, 2),
            "bound": round(chosen.bound, 2),
            "gap_at_most": round(chosen.gap, 6),
        }


@dataclass(frozen=True, slots=True)
class Wants:
    """What some items want, in blocks: place among all items, units, expected profit, cost of a unit."""

    place: NDArray[np.int64]
    units: Floats
    profit: Floats
    unit_cost: Floats

    @staticmethod
    def together(parts: Sequence["Wants"]) -> "Wants":
        """Those of several lots of items."""
        none = np.zeros(0)
        joined = [
            np.concatenate([none, *(getattr(one, name) for one in parts)])
            for name in ("place", "units", "profit", "unit_cost")
        ]
        return Wants(joined[0].astype(np.int64), *joined[1:])


def allot(evidences: Sequence[Evidence], budget: Budget, volumes_m3: Sequence[float] | None = None) -> Scarce:
    """Choose among all items' units under the budget. `volumes_m3`: space of one unit of each item.

    An item that can be planned and wants something gets an allotment, of 0 units if nothing was left for it.
    """
    space = volumes_m3 if volumes_m3 is not None else [0.0] * len(evidences)
    return choose_among(wants_of(evidences), [supplier_of(one) for one in evidences], space, budget)


def choose_among(wants: Wants, suppliers: Sequence[str | None], volumes_m3: Sequence[float], budget: Budget) -> Scarce:
    """As `allot`, of wants that were collected before: `suppliers` and `volumes_m3` by place."""
    uses = _uses(wants, budget, suppliers, volumes_m3)
    blocks = Blocks(wants.place, wants.units, wants.profit, uses)
    selection = choose_closely(blocks, budget.capacities)
    return Scarce(_allotments(blocks, selection, budget.resources), selection, budget.resources, budget.capacities)


def wants_of(evidences: Sequence[Evidence], first: int = 0) -> Wants:
    """What these items want; the place of the first of them is `first`."""
    return Wants.together([_wants(evidences, start, first) for start in range(0, len(evidences), CHUNK_ITEMS)])


def supplier_of(evidence: Evidence) -> str | None:
    """Who delivers it."""
    return None if evidence.terms is None else evidence.terms.supplier


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


def _wants(evidences: Sequence[Evidence], start: int, first: int) -> Wants:
    ready = []
    for place in range(start, min(start + CHUNK_ITEMS, len(evidences))):
        found = screen(heeded(evidences[place]))
        if not isinstance(found, Fault):
            ready.append((place, found))
    if not ready:
        return Wants.together([])
    reckoned = reckon([evidences[place] for place, _found in ready], [found for _place, found in ready])
    columns = reckoned.columns
    rows, units, profit = blocks_of(columns, reckoned.levels, reckoned.lots)
    places = np.asarray([first + place for place, _found in ready], dtype=np.int64)
    cost = np.asarray([_dearest(evidences[place]) for place, _found in ready])
    return Wants(places[rows], units, profit, cost[rows])


def _dearest(evidence: Evidence) -> float:
    """The most a unit can cost: what a budget is kept by. A price break may only make it less."""
    terms = evidence.terms
    assert terms is not None and terms.unit_cost is not None  # screening refused the others
    return float(max([terms.unit_cost, *(cost for _units, cost in terms.price_breaks)]))


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


def _uses(wants: Wants, budget: Budget, suppliers: Sequence[str | None], volumes_m3: Sequence[float]) -> Floats:
    columns: list[Floats] = []
    for name in budget.resources:
        if name == CASH:
            columns.append(wants.units * wants.unit_cost)
        elif name == VOLUME:
            columns.append(wants.units * np.asarray(volumes_m3, dtype=np.float64)[wants.place])
        else:
            wanted = name.removeprefix("supplier:")
            found = np.asarray([one == wanted for one in suppliers], dtype=np.float64)
            columns.append(wants.units * found[wants.place])
    return np.stack(columns, axis=1) if columns else np.zeros((len(wants.units), 0))
