"""Step 5 in numbers: from the wanted quantity to one that may be ordered: shelf life, minimum order quantity, pack."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS
from services.policy.domain.columns import Columns, Floats
from services.policy.domain.levels import Levels, days_of_cover, round_down, round_up


@dataclass(frozen=True, slots=True)
class Lots:
    """What to order, and what the constraints did to it; units, days, shares."""

    is_needed: NDArray[np.bool_]  # the position is below the reorder point
    wanted: Floats
    shelf_cap: Floats  # most that may stand in stock and on order without too great a risk to expire; infinite: none
    never_cap: Floats  # as above, at the risk nobody may take
    smallest: Floats  # smallest quantity the supplier delivers
    unlimited: Floats  # the quantity if nothing were scarce
    quantity: Floats
    is_possible: NDArray[np.bool_]  # false: even the smallest quantity would expire
    is_expiry_limited: NDArray[np.bool_]
    is_expiry_exceeded: NDArray[np.bool_]  # the smallest quantity is above the cap: a person must decide
    excess: Floats  # ordered beyond the wanted quantity
    service_after: Floats  # P(no stock-out over the protection interval) with the order
    cover_after_days: Floats
    average_stock: Floats  # expected on hand over the coming cycle with the order


def lots_of(columns: Columns, levels: Levels) -> Lots:
    """Orderable quantities of every row; rows that are not needed have 0."""
    is_needed = levels.position < levels.reorder_point
    wanted = np.where(is_needed, np.round(levels.order_up_to - levels.position, 4), 0.0)
    shelf_cap, never_cap = expiry_caps(columns, levels.position)
    smallest = round_up(np.maximum(columns.moq, columns.pack), columns.pack)
    # The reorder point must be reached again; the economic part of the order gives way to whole packs.
    must = np.where(is_needed, np.maximum(levels.reorder_point - levels.position, columns.moq), 0.0)
    plain = np.maximum(round_down(wanted, columns.pack), round_up(must, columns.pack))
    room = np.maximum(shelf_cap - levels.position, 0.0)
    limited = is_needed & (plain > room)
    fitting = round_down(np.where(np.isfinite(room), room, 0.0), columns.pack)
    fitted = np.where(limited, np.maximum(fitting, smallest), plain)
    exceeded = limited & (fitted > room)
    possible = ~exceeded | (levels.position + fitted <= never_cap)
    unlimited = np.where(is_needed & possible, fitted, 0.0)
    quantity: Floats = allotted_of(columns, unlimited, smallest)
    after = np.round(levels.position + quantity, 4)
    excess = np.asarray(np.round(np.clip(quantity - wanted, 0.0, np.inf), 4), dtype=np.float64)
    before_receipt = np.maximum(levels.position - levels.lead_demand, 0.0)
    return Lots(
        is_needed=is_needed,
        wanted=wanted,
        shelf_cap=shelf_cap,
        never_cap=never_cap,
        smallest=smallest,
        unlimited=unlimited,
        quantity=quantity,
        is_possible=possible,
        is_expiry_limited=limited,
        is_expiry_exceeded=exceeded,
        excess=excess,
        service_after=np.round(levels.exposure.probability_at_most(after), 4),
        cover_after_days=days_of_cover(columns, after),
        average_stock=np.round(before_receipt + quantity / 2.0, 4),
    )


def allotted_of(columns: Columns, quantity: Floats, smallest: Floats) -> Floats:
    """What may be ordered of `quantity`: the run's allotment in whole packs (more, when it fills up an order), or nothing
    where it is less than the supplier delivers."""
    given = np.where(np.isnan(columns.allotted), quantity, columns.allotted)
    whole = round_down(given, columns.pack)
    enough = np.where(columns.fills_up, np.maximum(whole, quantity), quantity)
    whole = np.where(given >= quantity, enough, whole)
    allowed: Floats = np.where((quantity > 0) & (whole >= smallest), whole, 0.0)
    return allowed


def expiry_caps(columns: Columns, position: Floats) -> tuple[Floats, Floats]:
    """(cap to be bought without asking, cap never to exceed): stock whose last unit expires unsold with at most the
    policy's risks. First in, first out; no cap for what outlives the forecast horizon.

    What is asked for before the receipt and finds the shelf empty is lost: it uses up nothing of the order.
    """
    expires_after = columns.lead_days + columns.shelf_life_days
    is_short = expires_after <= DAYS
    days = np.where(is_short, expires_after, 0.0)
    curve_risk = columns.demand.quantile(days, columns.expiry_risk_max)
    curve_never = columns.demand.quantile(days, columns.expiry_risk_never)
    lost = np.zeros(len(days))
    if is_short.any():
        stock = np.maximum(position[is_short], 0.0)
        lost[is_short] = columns.demand.rows(is_short).expected_shortage(columns.lead_days[is_short], stock)
    # At a risk r the last unit is unsold with probability P(D < cap) <= r, so the cap is the r-quantile of demand that is served.
    cap = np.where(is_short, round_down(np.maximum(curve_risk - lost, 0.0), columns.step), np.inf)
    never = np.where(is_short, round_up(np.maximum(curve_never - lost, 0.0), columns.step), np.inf)
    return cap, never
