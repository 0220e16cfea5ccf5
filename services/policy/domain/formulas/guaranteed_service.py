"""A tree of stages, each of which promises a delivery time: where to hold safety stock so that all promises are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, sqrt

from services.policy.domain.refusal import PolicyRefusal, require_not_negative

STAGES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. Whole periods; holding cost: money per unit and period; `demand_sd_units`: its own customers' demand.

    `promise_max`: longest service time its customers accept (None: as long as it takes, for a stage without any).
    `inbound`: service time of a supplier outside the tree. `bound`: standard deviations of demand that stock must cover.
    """

    name: str
    holding_cost: float
    processing_periods: int
    suppliers: tuple[str, ...] = ()
    demand_sd_units: float = 0.0
    promise_max: int | None = None
    inbound: int = 0
    bound: float = 1.0

    def __post_init__(self) -> None:
        require_not_negative(
            "costs_negative", holding_cost=self.holding_cost, sd=self.demand_sd_units, bound=self.bound
        )
        require_not_negative("lead_time_negative", processing=self.processing_periods, inbound=self.inbound)


@dataclass(slots=True)
class _Tree:
    stages: dict[str, Stage]
    customers: dict[str, list[str]]
    spread: dict[str, float] = field(default_factory=dict)
    longest: dict[str, int] = field(default_factory=dict)


def service_times(stages: Sequence[Stage]) -> tuple[dict[str, int], float]:
    """(promised service time of each stage in periods, cost of safety stock per period), optimal.

    Each stage holds z sigma sqrt(inbound + processing - promise); dynamic programme over the tree, promise by promise.
    Raises PolicyRefusal: tree_invalid (a cycle, two parts, an unknown supplier), lead_time_negative, costs_negative.
    Source: Graves & Willems 2000; Snyder & Shen, section 6.3.6; example 6.5, figure 6.14.
    """
    tree = _prepared(stages)
    root = stages[0].name
    order, parent = _from_root(tree, root)
    reach = max(tree.longest.values())
    best_out: dict[str, list[float]] = {}  # cost of the part behind a stage, by its promise
    best_in: dict[str, list[float]] = {}  # the same by the service time it gets
    choice: dict[str, list[int]] = {}
    for name in reversed(order):
        if parent[name] in tree.customers[name]:
            best_out[name], choice[name] = _by_promise(tree, name, parent[name], best_out, best_in, reach)
        else:
            best_in[name], choice[name] = _by_inbound(tree, name, parent[name], best_out, best_in, reach)
    costs = best_in[root]
    got = min(range(len(costs)), key=costs.__getitem__)
    promises, inbound = {root: choice[root][got]}, {root: got}
    for name in order[1:]:
        above = parent[name]
        if above in tree.customers[name]:
            limit = inbound[above]
            promises[name] = min(range(limit + 1), key=best_out[name].__getitem__)
            inbound[name] = choice[name][promises[name]]
        else:
            inbound[name] = min(range(promises[above], reach + 1), key=best_in[name].__getitem__)
            promises[name] = choice[name][inbound[name]]
    return promises, costs[got]


def cost_of(stages: Sequence[Stage], promises: dict[str, int]) -> float:
    """Cost of safety stock per period under given promises. Raises PolicyRefusal: promise_impossible, tree_invalid."""
    tree = _prepared(stages)
    total = 0.0
    for one in stages:
        got = max([one.inbound, *(promises[name] for name in one.suppliers)])
        net = got + one.processing_periods - promises[one.name]
        if net < 0 or (one.promise_max is not None and promises[one.name] > one.promise_max):
            raise PolicyRefusal("promise_impossible", f"{one.name} cannot promise {promises[one.name]} periods")
        total += one.holding_cost * one.bound * tree.spread[one.name] * sqrt(net)
    return total


def _own_cost(tree: _Tree, name: str, got: int, promise: int) -> float:
    one = tree.stages[name]
    net = got + one.processing_periods - promise
    if net < 0 or got < one.inbound or (one.promise_max is not None and promise > one.promise_max):
        return inf
    return one.holding_cost * one.bound * tree.spread[name] * sqrt(net)


def _behind(
    tree: _Tree, name: str, parent: str, outs: dict[str, list[float]], ins: dict[str, list[float]], reach: int
) -> tuple[list[float], list[float]]:
    """(cost of all suppliers' parts by the service time got, cost of all customers' parts by the promise)."""
    by_got, by_promise = [0.0] * (reach + 1), [0.0] * (reach + 1)
    for supplier in tree.stages[name].suppliers:
        if supplier != parent:
            best = inf
            for time in range(reach + 1):
                best = min(best, outs[supplier][time])
                by_got[time] += best
    for customer in tree.customers[name]:
        if customer != parent:
            best = inf
            for time in range(reach, -1, -1):
                best = min(best, ins[customer][time])
                by_promise[time] += best
    return by_got, by_promise


def _by_promise(
    tree: _Tree, name: str, parent: str, outs: dict[str, list[float]], ins: dict[str, list[float]], reach: int
) -> tuple[list[float], list[int]]:
    by_got, by_promise = _behind(tree, name, parent, outs, ins, reach)
    costs, chosen = [inf] * (reach + 1), [0] * (reach + 1)
    for promise in range(reach + 1):
        for got in range(tree.longest[name] - tree.stages[name].processing_periods + 1):
            cost = _own_cost(tree, name, got, promise) + by_got[got] + by_promise[promise]
            if cost < costs[promise]:
                costs[promise], chosen[promise] = cost, got
    return costs, chosen


def _by_inbound(
    tree: _Tree, name: str, parent: str, outs: dict[str, list[float]], ins: dict[str, list[float]], reach: int
) -> tuple[list[float], list[int]]:
    by_got, by_promise = _behind(tree, name, parent, outs, ins, reach)
    costs, chosen = [inf] * (reach + 1), [0] * (reach + 1)
    for got in range(tree.longest[name] - tree.stages[name].processing_periods + 1):
        for promise in range(reach + 1):
            cost = _own_cost(tree, name, got, promise) + by_got[got] + by_promise[promise]
            if cost < costs[got]:
                costs[got], chosen[got] = cost, promise
    return costs, chosen


def _from_root(tree: _Tree, root: str) -> tuple[list[str], dict[str, str]]:
    """Stages in the order they are met from the root, and through which neighbour."""
    order, parent = [root], {root: ""}
    for name in order:
        for near in (*tree.stages[name].suppliers, *tree.customers[name]):
            if near == parent[name]:
                continue
            if near in parent:
                raise PolicyRefusal("tree_invalid", f"{near} is reached in two ways: this is no tree")
            parent[near] = name
            order.append(near)
    if len(order) != len(tree.stages):
        raise PolicyRefusal("tree_invalid", f"{len(tree.stages) - len(order)} stages are not connected to {root}")
    return order, parent


def _prepared(stages: Sequence[Stage]) -> _Tree:
    """The tree with each stage's net demand and longest replenishment time."""
    if not 0 < len(stages) <= STAGES_MAX or len({one.name for one in stages}) != len(stages):
        raise PolicyRefusal("tree_invalid", "needs stages with different names")
    tree = _Tree({one.name: one for one in stages}, {one.name: [] for one in stages})
    for one in stages:
        for supplier in one.suppliers:
            if supplier not in tree.customers:
                raise PolicyRefusal("tree_invalid", f"{one.name} is supplied by {supplier}, which is no stage")
            tree.customers[supplier].append(one.name)
    waiting = {one.name: len(one.suppliers) for one in stages}
    ready = [name for name, count in waiting.items() if count == 0]
    for name in ready:
        one = tree.stages[name]
        got = max([one.inbound, *(tree.longest[supplier] for supplier in one.suppliers)])
        tree.longest[name] = got + one.processing_periods
        for customer in tree.customers[name]:
            waiting[customer] -= 1
            if waiting[customer] == 0:
                ready.append(customer)
    if len(ready) != len(stages):
        raise PolicyRefusal("tree_invalid", "stages supply each other in a circle")
    variance = {one.name: one.demand_sd_units**2 for one in stages}
    for name in reversed(ready):
        for supplier in tree.stages[name].suppliers:
            variance[supplier] += variance[name]
    tree.spread = {name: sqrt(value) for name, value in variance.items()}
    return tree
