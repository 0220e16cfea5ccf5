"""One supplier's order to one location filled up to its minimum value or its truck by the best next units of its own items."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.policy.domain.columns import Floats
from services.policy.domain.evidence import Evidence
from services.policy.domain.filling import MINIMUM, TRUCK, fill_up, trucks
from services.policy.domain.levels import days_of_cover
from services.policy.domain.reckoning import Reckoned, reckon
from services.policy.domain.scarcity import Prospect
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.selection import Blocks

# An item may give so many packs more; beyond that its supplier's minimum is a question for its terms.
PACKS_MAX = 24


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What a supplier asks of an order: its value at least, in money, and whole trucks, in cubic metres."""

    minimum_value: float = 0.0
    truck_m3: float = 0.0


def filled(
    evidences: Sequence[Evidence],
    chosen: Sequence[float],
    volumes_m3: Sequence[float],
    terms: OrderTerms,
    *,
    cash_left: float = float("inf"),
    volume_left: float = float("inf"),
) -> tuple[dict[int, float], str] | None:
    """(units more by place, what is filled up) of the items of one order, of each of which `chosen` units are ordered.

    None: the order reaches what is asked, or cannot reach it within cover, shelf life and what is left of the budgets.
    """
    ready = [
        (place, found)
        for place, one in enumerate(evidences)
        if chosen[place] > 0 and not isinstance(found := screen(heeded(one)), Fault)
    ]
    if not ready:
        return None
    reckoned = reckon([evidences[place] for place, _found in ready], [found for _place, found in ready])
    units = np.asarray([chosen[place] for place, _found in ready])
    space = np.asarray([volumes_m3[place] for place, _found in ready])
    cost = reckoned.columns.unit_cost
    goals = (
        (MINIMUM, cost, float(units @ cost), terms.minimum_value, cash_left),
        (TRUCK, space, float(units @ space), trucks(float(units @ space), terms.truck_m3) if terms.truck_m3 else 0.0, volume_left),
    )  # fmt: skip
    for kind, measure, wanted, goal, left in goals:
        if wanted <= 0 or wanted >= goal:
            continue
        blocks = _next_packs(reckoned, evidences, [place for place, _found in ready], units, measure)
        full = fill_up(blocks, wanted, goal)
        if full is None or full.reached - wanted > left:
            continue
        added = {ready[row][0]: more for row, more in full.added.items()}
        extra = np.asarray([added.get(place, 0.0) for place, _found in ready])
        if float(extra @ cost) <= cash_left and float(extra @ space) <= volume_left:
            return added, kind
    return None


def _next_packs(
    reckoned: Reckoned, evidences: Sequence[Evidence], places: Sequence[int], units: Floats, measure: Floats
) -> Blocks:
    """Each item's next packs beyond its order, while cover and shelf life allow them."""
    columns, levels, lots = reckoned.columns, reckoned.levels, reckoned.lots
    every = np.arange(len(places), dtype=np.int64)
    prospect = Prospect.of(columns, lots, every)
    most = np.asarray([float(evidences[place].policy.parameters.max_cover_days) for place in places])
    stock = levels.position + units
    before = prospect.profit(columns, stock)
    goes_on = np.ones(len(places), dtype=bool)
    taken: list[tuple[int, int, float]] = []
    for number in range(PACKS_MAX):
        stock = stock + columns.pack
        after = prospect.profit(columns, stock)
        goes_on &= (days_of_cover(columns, stock) <= most) & (stock <= lots.shelf_cap)
        taken += [(int(row), number, float(after[row] - before[row])) for row in np.flatnonzero(goes_on)]
        before = after
    taken.sort()
    rows = np.asarray([row for row, _number, _profit in taken], dtype=np.int64)
    return Blocks(
        rows,
        columns.pack[rows],
        np.asarray([profit for _row, _number, profit in taken], dtype=np.float64),
        (columns.pack * measure)[rows][:, np.newaxis],
    )
