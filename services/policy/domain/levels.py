"""Steps 1 to 4 in numbers: net position, service level over the protection interval, reorder point, economic quantity."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS, Mixture, curve_probability, curve_quantile, curve_shortage
from services.policy.domain.columns import DAYS_PER_YEAR, Columns, Floats
from services.policy.domain.objectives import weighed_levels
from services.policy.domain.screening import LEAD_TIME_REACH

COVER_DAYS_MAX = 999.0  # beyond this, "practically for ever" is said with one number


@dataclass(frozen=True, slots=True)
class Levels:
    """Results of the first steps, rounded where they are reported; units, days, probabilities."""

    available: Floats  # on hand - reserved - backorders
    position: Floats  # available + on order inside the protection interval
    lead_demand: Floats  # expected before the next order's receipt
    protection_demand: Floats  # expected before the receipt of the order after it
    daily_demand: Floats
    reorder_point: Floats
    safety_stock: Floats
    economic_lot: Floats
    order_up_to: Floats
    days_of_cover: Floats
    stockout_probability: Floats  # without an order, over the protection interval
    expected_shortage: Floats  # without an order, units over the protection interval
    exposure: "Exposure"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Demand over the protection interval, lead-time uncertainty included.

    Rows with a certain lead time read one curve; the others a mixture of three: mean - sqrt(3) sd, mean, mean + sqrt(3)
    sd, with weights 1/6, 2/3, 1/6 (the three-point rule that keeps mean, variance and the next three moments of a
    normal lead time). Kept apart, so that an item gets the same number whoever is planned beside it.
    """

    certain: Floats  # curves (n, 13)
    uncertain: Mixture
    is_uncertain: NDArray[np.bool_]

    def quantile(self, level: Floats) -> Floats:
        """Smallest units that cover the demand with probability `level`."""
        return self._each(curve_quantile, self.uncertain.quantile, level)

    def level_for_shortage(self, allowed: Floats) -> Floats:
        """Smallest units whose expected shortage is at most `allowed` units."""
        alone = Mixture((self.certain,), np.ones((len(self.certain), 1)))
        return self._each(
            lambda _curves, values: alone.level_for_shortage(values), self.uncertain.level_for_shortage, allowed
        )

    def probability_at_most(self, units: Floats) -> Floats:
        """P(demand <= units)."""
        return self._each(curve_probability, self.uncertain.probability_at_most, units)

    def expected_shortage(self, units: Floats) -> Floats:
        """E[(demand - units)+], units."""
        return self._each(curve_shortage, self.uncertain.expected_shortage, units)

    def _each(
        self, ask_curve: Callable[[Floats, Floats], Floats], ask_mixture: Callable[[Floats], Floats], values: Floats
    ) -> Floats:
        result = np.zeros(len(self.is_uncertain))
        if not self.is_uncertain.all():
            result[~self.is_uncertain] = ask_curve(self.certain, values[~self.is_uncertain])
        if self.is_uncertain.any():
            result[self.is_uncertain] = ask_mixture(values[self.is_uncertain])
        return result


def exposure_of(columns: Columns) -> Exposure:
    """The demand to be covered by the next order."""
    is_uncertain = columns.lead_sd_days > 0
    some, rest = columns.demand.rows(is_uncertain), columns.demand.rows(~is_uncertain)
    days, reach = columns.protection_days[is_uncertain], columns.lead_sd_days[is_uncertain] * LEAD_TIME_REACH
    weights = np.broadcast_to(np.asarray([1.0 / 6.0, 2.0 / 3.0, 1.0 / 6.0]), (len(some), 3))
    return Exposure(
        certain=rest.curve(columns.protection_days[~is_uncertain]),
        uncertain=Mixture(
            (
                some.curve(np.maximum(days - reach, 0.0)),
                some.curve(days),
                some.curve(np.minimum(days + reach, float(DAYS))),
            ),
            weights,
        ),
        is_uncertain=is_uncertain,
    )


def levels_of(columns: Columns) -> Levels:
    """Net, target, trigger and economic quantity of every row."""
    available = np.round(columns.on_hand - columns.reserved - columns.backorders, 4)
    position = np.round(available + columns.on_order, 4)
    exposure = exposure_of(columns)
    lead_demand = np.round(columns.demand.mean(columns.lead_days), 4)
    protection_demand = np.round(columns.demand.mean(columns.protection_days), 4)
    daily = columns.demand.mean_cumulative[:, DAYS] / DAYS
    reorder_point = reorder_points(columns, exposure, protection_demand - lead_demand)
    economic = economic_lots(columns, daily)
    return Levels(
        available=available,
        position=position,
        lead_demand=lead_demand,
        protection_demand=protection_demand,
        daily_demand=np.round(daily, 4),
        reorder_point=reorder_point,
        safety_stock=np.round(reorder_point - protection_demand, 4),
        economic_lot=economic,
        order_up_to=np.round(reorder_point + economic, 4),
        days_of_cover=days_of_cover(columns, position),
        stockout_probability=np.round(1.0 - exposure.probability_at_most(position), 4),
        expected_shortage=np.round(exposure.expected_shortage(np.maximum(position, 0.0)), 4),
        exposure=exposure,
    )


def reorder_points(columns: Columns, exposure: Exposure, cycle_demand: Floats) -> Floats:
    """s: the smallest stock that meets the service goal until the receipt of the order after next, units.

    Cycle service: P(D <= s) >= goal. Fill rate: E[(D - s)+] <= (1 - goal) x expected demand of one review cycle.
    Weighed: where margin lost, holding and risk together weigh least (`objectives`).
    Rounded up to what exists (pieces, grams); never below the presentation minimum.
    Source: Silver, Pyke & Thomas, sections 6.7.10 (P1, P2) and 6.9 for the interval L + R.
    """
    level = np.zeros(len(columns.goal))
    by_fill = columns.by_fill_rate
    if not by_fill.all():
        level = exposure.quantile(columns.goal)
    if by_fill.any():
        allowed = (1.0 - columns.goal) * np.maximum(cycle_demand, 0.0)
        level = np.where(by_fill, exposure.level_for_shortage(allowed), level)
    if columns.by_weights.any():
        level = np.where(columns.by_weights, weighed_levels(columns, exposure.quantile), level)
    level = np.minimum(level, columns.reorder_most)
    return round_up(np.maximum(level, columns.presentation_minimum), columns.step)


def economic_lots(columns: Columns, daily_demand: Floats) -> Floats:
    """What one order line should bring beyond the reorder point: sqrt(2 K D / h), or the best lot under price breaks.

    Never more than the demand of `lot_cover_max_days`: a lot that would sit longer is not economic but a bet.
    Source: Harris 1913; Snyder & Shen, eq. 3.4.
    """
    plain = np.sqrt(2.0 * columns.setup_cost * daily_demand * DAYS_PER_YEAR / columns.holding_cost)
    lot = np.where(np.isnan(columns.discount_lot), plain, columns.discount_lot)
    return np.minimum(round_up(lot, columns.step), round_down(daily_demand * columns.lot_cover_max_days, columns.step))


def days_of_cover(columns: Columns, stock: Floats) -> Floats:
    """Days until expected demand has used up `stock`; beyond the horizon at its average pace, at most 999."""
    curve = columns.demand.mean_cumulative
    whole = np.zeros(len(stock), dtype=np.int64)
    for day in range(1, DAYS + 1):
        whole += curve[:, day] <= stock
    rows = np.arange(len(stock))
    below = np.minimum(whole, DAYS - 1)
    low, high = curve[rows, below], curve[rows, below + 1]
    gap = high - low
    inside = below + np.where(gap > 0, (stock - low) / np.where(gap > 0, gap, 1.0), 0.0)
    pace = curve[:, DAYS] / DAYS
    beyond = np.where(pace > 0, DAYS + (stock - curve[:, DAYS]) / np.where(pace > 0, pace, 1.0), COVER_DAYS_MAX)
    cover = np.where(whole >= DAYS, beyond, inside)
    return np.round(np.clip(np.where(stock > 0, cover, 0.0), 0.0, COVER_DAYS_MAX), 1)


def round_up(units: Floats, step: Floats) -> Floats:
    """The next multiple of `step` at or above; a millionth of a step is rounding noise, not demand."""
    return np.round(np.ceil(np.round(units / step, 6)) * step, 4)


def round_down(units: Floats, step: Floats) -> Floats:
    """The next multiple of `step` at or below; a millionth of a step is rounding noise."""
    return np.round(np.floor(np.round(units / step, 6)) * step, 4)
