"""The simulated part, on the shelf: opening counts and receipts that make the real sales possible.

In: real units sold per item and day, and simulated terms. Out: units received per item and day, and what is on hand at
the end. The rule of the past is a plain (s, S) that a shop clerk might follow, not this product's policy. Stock is never
negative, because units that were sold were there; it is zero on some days without sales, and those are the stock-outs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Units = NDArray[np.int64]
# Protection of the old rule in standard deviations of Poisson demand: every fourth item is kept tight and runs out.
SAFETY_FACTOR = 2.2
SAFETY_FACTOR_TIGHT = 0.2
TIGHT_SHARE = 0.25
# Days of demand an old order covers beyond its reorder point.
ORDER_COVER_DAYS = 18
# Of this share of items nobody thought of in the last weeks: they are what the planner finds on the first morning.
FORGOTTEN_SHARE = 0.22
FORGOTTEN_DAYS = 21


@dataclass(frozen=True, slots=True)
class Shelf:
    """Per item, in item order. `order_days` is items x 7 (Monday first); draws are numbers in [0, 1) that stand for chance."""

    lead_days: Units
    pack: Units
    moq: Units
    order_days: NDArray[np.bool_]
    draw_tight: NDArray[np.float64]
    draw_forgotten: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class History:
    """What happened. `opening` is counted on the first morning, `received` arrives before the shop opens."""

    opening: Units
    received: Units
    on_hand_at_close: Units


def replenish(sold: Units, shelf: Shelf, first_weekday: int) -> History:
    """Receipts for `sold` (items x days) by the old (s, S) rule.

    When a day's sales exceed what the rule would have had there, a direct delivery of whole packs arrives that morning:
    the sales are real, so the units were. Orders that would arrive after the last day arrive on it, so nothing is on
    order that Countersign does not know of.
    """
    items, days = sold.shape
    rate = sold.mean(axis=1)
    protection = rate * (shelf.lead_days + 3)
    factor = np.where(shelf.draw_tight < TIGHT_SHARE, SAFETY_FACTOR_TIGHT, SAFETY_FACTOR)
    reorder_point = np.ceil(protection + factor * np.sqrt(protection)).astype(np.int64)
    order_up_to = reorder_point + np.maximum(shelf.moq, np.ceil(rate * ORDER_COVER_DAYS).astype(np.int64))
    is_forgotten = shelf.draw_forgotten < FORGOTTEN_SHARE

    received = np.zeros_like(sold)
    closing = np.zeros_like(sold)
    opening = order_up_to.copy()
    on_hand = opening.copy()
    on_order = np.zeros(items, dtype=np.int64)
    every_item = np.arange(items)
    for day in range(days):
        on_order -= received[:, day]
        missing = np.maximum(sold[:, day] - on_hand - received[:, day], 0)
        received[:, day] += -(-missing // shelf.pack) * shelf.pack
        on_hand += received[:, day] - sold[:, day]
        closing[:, day] = on_hand
        may_order = shelf.order_days[:, (first_weekday + day) % 7] & ~(is_forgotten & (day >= days - FORGOTTEN_DAYS))
        position = on_hand + on_order
        wanted = np.where(may_order & (position <= reorder_point), order_up_to - position, 0)
        packs = -(-np.where(wanted > 0, np.maximum(wanted, shelf.moq), 0) // shelf.pack) * shelf.pack
        arrival = np.minimum(day + shelf.lead_days, days - 1)
        is_possible = (packs > 0) & (arrival > day)
        received[every_item[is_possible], arrival[is_possible]] += packs[is_possible]
        on_order[is_possible] += packs[is_possible]
    return History(opening=opening, received=received, on_hand_at_close=closing)
