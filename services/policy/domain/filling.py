"""A supplier's minimum order and whole trucks: which units more are the best ones to reach it, and what the excess costs."""

from dataclasses import dataclass

import numpy as np

from services.policy.domain.numbers import decimal_of
from services.policy.domain.refusal import PolicyRefusal, require_not_negative
from services.policy.domain.selection import Blocks

# A truck that is filled less than this goes as it is: filling it up would order for months.
TRUCK_SHARE_MIN = 0.6
# Allotments that give more than is wanted, so that the supplier's order is worth its minimum or fills its truck.
MINIMUM, TRUCK = "minimum_order_value", "truck"
FILLED_UP = (MINIMUM, TRUCK)


@dataclass(frozen=True, slots=True)
class Filled:
    """What is added to reach a minimum: units by item of the blocks, `excess` of the resource beyond what was wanted, and
    its `cost`: money the added units are expected to lose (0 when they earn)."""

    added: dict[int, float]
    reached: float
    excess: float
    cost: float


def fill_up(blocks: Blocks, wanted: float, minimum: float) -> Filled | None:
    """Add the best next units (most profit per use of resource 0) until `wanted` + added reaches `minimum`.

    `blocks` are units beyond what is wanted, in the order they would be bought. None: even all of them do not reach it,
    or nothing is wanted (then nothing is ordered, minimum or not). Raises PolicyRefusal: quantity_negative.
    Source: Silver, Pyke & Thomas, section 10.3 (coordinated orders to a target), greedy by marginal cost.
    """
    require_not_negative("quantity_negative", wanted=wanted, minimum=minimum)
    if wanted <= 0:
        return None
    if wanted >= minimum:
        return Filled({}, wanted, 0.0, 0.0)
    use = blocks.uses[:, 0]
    ratio = np.where(use > 0, blocks.profit / np.where(use > 0, use, 1.0), -np.inf)
    for index in range(1, len(ratio)):  # a later unit of an item never comes before an earlier one
        if blocks.item[index] == blocks.item[index - 1]:
            ratio[index] = min(ratio[index], ratio[index - 1])
    added: dict[int, float] = {}
    reached, gained = wanted, 0.0
    for index in np.argsort(-ratio, kind="stable").tolist():
        if reached >= minimum - 1e-9:
            break
        if use[index] <= 0:
            continue
        item = int(blocks.item[index])
        added[item] = added.get(item, 0.0) + float(blocks.units[index])
        reached += float(use[index])
        gained += float(blocks.profit[index])
    if reached < minimum - 1e-9:
        return None
    return Filled(added, reached, float(decimal_of(reached - wanted)), float(decimal_of(max(-gained, 0.0))))


def trucks(volume_m3: float, truck_m3: float) -> float:
    """The volume to fill up to: whole trucks, or what is wanted when the last one would be less than 60 % full.

    Raises PolicyRefusal: truck_not_positive.
    """
    if not truck_m3 > 0:
        raise PolicyRefusal("truck_not_positive", f"{truck_m3=} must be above zero")
    whole, part = divmod(round(volume_m3 / truck_m3, 9), 1.0)
    return (whole + 1.0) * truck_m3 if part >= TRUCK_SHARE_MIN else max(volume_m3, whole * truck_m3)
