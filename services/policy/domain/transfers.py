"""Transfers before buys: what one location has too much of goes where it earns more, by minimum-cost flow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernel.distribution import GRID, Floats, curve_shortage
from services.policy.domain.refusal import PolicyRefusal, require_not_negative

BLOCKS_MAX = 20  # each side's units are priced in at most so many blocks


@dataclass(frozen=True, slots=True)
class Site:
    """One location of one product. Units: `available` on hand, `floor` below which it never sends (its own target),
    `wanted` beyond its position. `curve`: its demand until a buy could arrive; `margin`: money lost per unit short."""

    name: str
    available: float
    floor: float
    wanted: float
    curve: Floats
    margin: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send so many units; money: stock-out avoided at the receiver, risk moved to the sender, cost of carrying."""

    sender: str
    receiver: str
    units: float
    avoided: float
    risk: float
    cost: float

    @property
    def benefit(self) -> float:
        """What is left: positive, or it is not proposed."""
        return self.avoided - self.risk - self.cost


def best_transfers(
    sites: Sequence[Site],
    unit_costs: Mapping[tuple[str, str], float],
    *,
    fixed_cost: float = 0.0,
    step: float = 1.0,
) -> list[Transfer]:
    """Transfers with the greatest net benefit; `unit_costs` (sender, receiver) -> money per unit, absent: no way there.

    Units a sender can spare and units a receiver lacks are priced by what they change in expected shortage, falling with
    each further unit, so the network is convex and its linear programme has whole-step optima (total unimodularity).
    A transfer whose benefit does not pay `fixed_cost` is left out. Raises PolicyRefusal: sites_invalid, costs_negative.
    Source: Ahuja, Magnanti & Orlin, Network Flows, chapters 9 and 14; Paterson et al. 2011 on lateral transshipments.
    """
    if len({one.name for one in sites}) != len(sites) or not step > 0:
        raise PolicyRefusal("sites_invalid", "locations need different names, and the step must be above 0")
    require_not_negative(
        "costs_negative", fixed=fixed_cost, **{f"{a}->{b}": cost for (a, b), cost in unit_costs.items()}
    )
    for one in sites:
        if one.curve.shape != (len(GRID),):
            raise PolicyRefusal("sites_invalid", f"{one.name} needs a curve of {len(GRID)} points")
    spare = [max(float(np.floor(round((one.available - one.floor) / step, 9))), 0.0) for one in sites]
    lacks = [max(float(np.ceil(round(one.wanted / step, 9))), 0.0) for one in sites]
    lanes = [
        (a, b)
        for a, sender in enumerate(sites)
        for b, receiver in enumerate(sites)
        if a != b and spare[a] > 0 and lacks[b] > 0 and (sender.name, receiver.name) in unit_costs
    ]
    if not lanes:
        return []
    flows = _flow(sites, spare, lacks, lanes, unit_costs, step)
    found = []
    for (a, b), steps in zip(lanes, flows, strict=True):
        if steps < 0.5:
            continue
        units = round(steps) * step
        sent = valued(sites[a], sites[b], units, unit_costs[sites[a].name, sites[b].name] * units + fixed_cost)
        if sent.benefit > 0:
            found.append(sent)
    return sorted(found, key=lambda one: (-one.benefit, one.sender, one.receiver))


def valued(sender: Site, receiver: Site, units: float, cost: float) -> Transfer:
    """What sending so many units changes in money on both sides."""
    avoided = receiver.margin * (_short(receiver, receiver.available) - _short(receiver, receiver.available + units))
    risk = sender.margin * (_short(sender, sender.available - units) - _short(sender, sender.available))
    return Transfer(sender.name, receiver.name, units, avoided, risk, cost)


def _short(site: Site, units: float) -> float:
    return float(curve_shortage(site.curve[np.newaxis], max(units, 0.0))[0])


def _flow(
    sites: Sequence[Site],
    spare: Sequence[float],
    lacks: Sequence[float],
    lanes: Sequence[tuple[int, int]],
    unit_costs: Mapping[tuple[str, str], float],
    step: float,
) -> Floats:
    """Steps of units on each lane. Variables: lanes, then the blocks of senders and receivers."""
    from scipy import optimize, sparse  # half of what a planning process takes to start; not every tenant moves stock

    costs = [unit_costs[sites[a].name, sites[b].name] * step for a, b in lanes]
    limits = [min(spare[a], lacks[b]) for a, b in lanes]
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    row = 0
    ends = ((0, spare, 1.0), (1, lacks, -1.0))
    for side, steps, sign in ends:
        for index in sorted({lane[side] for lane in lanes}):
            for place, lane in enumerate(lanes):
                if lane[side] == index:
                    rows, columns, values = [*rows, row], [*columns, place], [*values, 1.0]
            for size, price in _blocks(sites[index], steps[index], sign, step):
                rows, columns, values = [*rows, row], [*columns, len(costs)], [*values, -1.0]
                costs.append(price)
                limits.append(size)
            row += 1
    balance = sparse.csr_array((values, (rows, columns)), shape=(row, len(costs)))
    found = optimize.linprog(
        costs, A_eq=balance, b_eq=np.zeros(row), bounds=[(0.0, limit) for limit in limits], method="highs-ds"
    )
    if found.x is None:
        raise PolicyRefusal("sites_invalid", f"no flow was found: {found.message}")
    flows: Floats = np.asarray(found.x[: len(lanes)], dtype=np.float64)
    return flows


def _blocks(site: Site, steps: float, sign: float, step: float) -> list[tuple[float, float]]:
    """(steps, money per step) of each block: what a sender risks, or (below zero) what a receiver gains."""
    size = max(float(np.ceil(steps / BLOCKS_MAX)), 1.0)
    found = []
    done = 0.0
    while done < steps:
        count = min(size, steps - done)
        before, after = site.available - sign * done * step, site.available - sign * (done + count) * step
        found.append((count, site.margin * (_short(site, after) - _short(site, before)) / count))
        done += count
    return found
