"""Choosing under scarcity: which units to buy when cash, space or a supplier's capacity does not reach for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.policy.domain.refusal import PolicyRefusal

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Prices of several scarce resources are found in turns; more turns hardly lower the bound any further.
TURNS_MAX = 8
# Below this share of the bound, a change of the prices is not worth another turn.
SETTLED = 1e-6
# The list is trusted when it is provably within a thousandth of the best; else small problems are solved exactly.
GAP_WANTED = 1e-3
EXACT_BLOCKS_MAX = 4_000
EXACT_SECONDS_MAX = 10.0
MIP_GAP = 1e-5


@dataclass(frozen=True, slots=True)
class Blocks:
    """Further units of items, in the order they would be bought: blocks of one item lie together.

    profit: expected money gained by a block over the blocks of its item before it. uses: (m, r) of each scarce resource.
    """

    item: Integers
    units: Floats
    profit: Floats
    uses: Floats

    def __post_init__(self) -> None:
        sizes = {len(self.item), len(self.units), len(self.profit), len(self.uses)}
        if len(sizes) != 1 or self.uses.ndim != 2:
            raise PolicyRefusal("blocks_invalid", "item, units, profit and uses need one row per block")
        if not (np.isfinite(self.profit).all() and np.isfinite(self.uses).all() and (self.uses >= 0).all()):
            raise PolicyRefusal("blocks_invalid", "profits must be finite, uses finite and not negative")
        if (np.diff(self.item) < 0).any():
            raise PolicyRefusal("blocks_invalid", "blocks of one item must lie together, items in rising order")


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen. `prices`: money that one more unit of each resource would earn (shadow prices). `bound`: no choice
    earns more. `rank`: place in the marginal list by profit per priced use, from 1; merged blocks share one."""

    taken: NDArray[np.bool_]
    rank: Integers
    profit: float
    bound: float
    used: Floats
    prices: Floats

    @property
    def gap(self) -> float:
        """How far the choice may be from the best one, as a share of the bound; 0 when nothing could be earned."""
        return max(self.bound - self.profit, 0.0) / self.bound if self.bound > 0 else 0.0


def choose(blocks: Blocks, capacities: Sequence[float]) -> Selection:
    """The marginal list, taken from the top while it fits. Raises PolicyRefusal: capacity_negative, blocks_invalid.

    A block that earns more per use than the one before it (a minimum lot must be bought first) is joined to it, so that
    each item's profit is concave; then taking by profit per use of the scarce resource is optimal up to the last block
    (Dantzig 1957). Several resources are weighed by their prices (Lagrange multipliers), which also give the bound.
    """
    limits = _limits(blocks, capacities)
    first, size = _joined(blocks)
    joined = Blocks(
        blocks.item[first],
        np.add.reduceat(blocks.units, first) if len(first) else blocks.units,
        np.add.reduceat(blocks.profit, first) if len(first) else blocks.profit,
        np.add.reduceat(blocks.uses, first, axis=0) if len(first) else blocks.uses,
    )
    prices, bound = _priced(joined, limits)
    priced = joined.uses @ prices
    ratio = np.where(priced > 0, joined.profit / np.where(priced > 0, priced, 1.0), np.inf)
    # Free blocks first; among equals the dearest last, so that small ones still fit. Ties end in the items' own order.
    order = np.lexsort((np.arange(len(ratio)), joined.profit <= 0, -ratio))
    taken, used = _take(joined, order, limits)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return Selection(
        taken=np.repeat(taken, size),
        rank=np.repeat(rank, size),
        profit=float(joined.profit[taken].sum()),
        bound=bound,
        used=used,
        prices=prices,
    )


def choose_closely(blocks: Blocks, capacities: Sequence[float]) -> Selection:
    """As `choose`; where that may be further than a thousandth from the best and the problem is small, the integer
    programme decides instead. Raises as `choose`."""
    found = choose(blocks, capacities)
    if found.gap <= GAP_WANTED or len(blocks.item) > EXACT_BLOCKS_MAX:
        return found
    better, _is_proven = best_choice(blocks, capacities, seconds_max=EXACT_SECONDS_MAX)
    if better is None or float(blocks.profit[better].sum()) <= found.profit:
        return found
    return replace(found, taken=better, profit=float(blocks.profit[better].sum()), used=blocks.uses[better].sum(axis=0))


def best_choice(
    blocks: Blocks, capacities: Sequence[float], *, seconds_max: float = 60.0
) -> tuple[NDArray[np.bool_] | None, bool]:
    """(blocks to take, whether that is proven optimal) of the integer programme, by HiGHS: the measure of `choose`.

    One yes or no per block; a block only after the one before it. None when no choice was found in time. Raises as
    `choose`.
    """
    from scipy import optimize, sparse  # half of what a planning process takes to start; few runs are scarce

    limits = _limits(blocks, capacities)
    count = len(blocks.item)
    follows = np.flatnonzero(blocks.item[1:] == blocks.item[:-1]) + 1
    rows = np.arange(len(follows))
    ordered = sparse.csr_array(
        (
            np.concatenate([np.ones(len(follows)), -np.ones(len(follows))]),
            (np.concatenate([rows, rows]), np.concatenate([follows, follows - 1])),
        ),
        shape=(len(follows), count),
    )
    constraints = [optimize.LinearConstraint(sparse.csr_array(blocks.uses.T), -np.inf, limits)]
    if len(follows):
        constraints.append(optimize.LinearConstraint(ordered, -np.inf, 0.0))
    found = optimize.milp(
        -blocks.profit,
        integrality=np.ones(count),
        bounds=optimize.Bounds(0, 1),
        constraints=constraints,
        options={"time_limit": seconds_max, "mip_rel_gap": MIP_GAP},
    )
    return (None, False) if found.x is None else (np.asarray(found.x > 0.5), found.status == 0)


def _limits(blocks: Blocks, capacities: Sequence[float]) -> Floats:
    limits = np.asarray(capacities, dtype=np.float64)
    if limits.shape != (blocks.uses.shape[1],) or not (limits >= 0).all():
        raise PolicyRefusal("capacity_negative", f"needs {blocks.uses.shape[1]} capacities of at least 0: {limits}")
    return limits


def _joined(blocks: Blocks) -> tuple[Integers, Integers]:
    """(first block, number of blocks) of each joint block, so that profit per unit never rises within an item."""
    first = np.arange(len(blocks.item))
    while len(first):
        profit, units = np.add.reduceat(blocks.profit, first), np.add.reduceat(blocks.units, first)
        rate = profit / np.where(units > 0, units, 1.0)
        rises = (blocks.item[first][1:] == blocks.item[first][:-1]) & (rate[1:] > rate[:-1] + 1e-12)
        # Of a run of rises only every other one is joined at a time: the sum may stop the next.
        rises[1:] &= ~rises[:-1]
        if not rises.any():
            break
        first = first[np.concatenate([[True], ~rises])]
    return first, np.diff(np.append(first, len(blocks.item))).astype(np.int64)


def _priced(blocks: Blocks, limits: Floats) -> tuple[Floats, float]:
    """(price of each resource, upper bound): the Lagrangian dual by coordinate descent, exact for one resource."""
    prices = np.zeros(len(limits))
    bound = _dual(blocks, limits, prices)
    for _turn in range(TURNS_MAX):
        for resource in range(len(limits)):
            others = prices.copy()
            others[resource] = 0.0
            left = blocks.profit - blocks.uses @ others
            use = blocks.uses[:, resource]
            prices[resource] = _price(left, use, float(limits[resource]))
        renewed = _dual(blocks, limits, prices)
        settled = bound - renewed <= SETTLED * max(bound, 1e-12)
        bound = min(bound, renewed)
        if settled or len(limits) == 1:
            break
    return prices, bound


def _price(profit: Floats, use: Floats, limit: float) -> float:
    """Profit per use of the block at which the resource is used up; 0 when there is enough of it."""
    counts = (profit > 0) & (use > 0)
    ratio, wanted = profit[counts] / use[counts], use[counts]
    order = np.argsort(-ratio, kind="stable")
    filled = np.cumsum(wanted[order])
    past = int(np.searchsorted(filled, limit * (1 + 1e-12), side="right"))
    return float(ratio[order[past]]) if past < len(order) else 0.0


def _dual(blocks: Blocks, limits: Floats, prices: Floats) -> float:
    return float(np.maximum(blocks.profit - blocks.uses @ prices, 0.0).sum() + limits @ prices)


def _take(blocks: Blocks, order: Integers, limits: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """From the top while it fits; what does not fit closes its item. The part that fits whole is taken at once."""
    worthy = order[blocks.profit[order] > 0]
    filled = np.cumsum(blocks.uses[worthy], axis=0)
    slack = limits * 1e-12
    fits = (filled <= limits + slack).all(axis=1)
    whole = int(fits.argmin()) if not fits.all() else len(worthy)
    taken = np.zeros(len(blocks.item), dtype=np.bool_)
    taken[worthy[:whole]] = True
    left = limits - (filled[whole - 1] if whole else 0.0)
    closed: set[int] = set()
    smallest = np.where(blocks.uses > 0, blocks.uses, np.inf).min(axis=0) if len(blocks.item) else limits
    items, uses = blocks.item, blocks.uses
    for index in worthy[whole:].tolist():
        item = int(items[index])
        if item in closed:
            continue
        if (uses[index] <= left + slack).all():
            taken[index] = True
            left = left - uses[index]
            if (left < smallest).all():
                break
        else:
            closed.add(item)
    return taken, limits - left
