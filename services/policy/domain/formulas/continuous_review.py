"""(r, Q): order Q when the inventory position reaches r. Exact costs and the field's approximations."""

from dataclasses import dataclass
from math import sqrt

from scipy import optimize, stats

from services.policy.domain.formulas.loss import normal_loss, normal_second_order_loss, poisson_loss
from services.policy.domain.formulas.lot_size import economic_order_quantity, lot_with_backorders
from services.policy.domain.refusal import PolicyRefusal, require_not_negative, require_positive


@dataclass(frozen=True, slots=True)
class Review:
    """What one (r, Q) problem is made of. Rates are per period; the lead time is in the same periods.

    holding_cost, stockout_cost: money per unit per period held or short. setup_cost: money per order.
    """

    holding_cost: float
    stockout_cost: float
    setup_cost: float
    demand_units: float
    demand_sd_units: float
    lead_time_periods: float

    def __post_init__(self) -> None:
        require_positive(
            "costs_not_positive",
            holding_cost=self.holding_cost,
            stockout_cost=self.stockout_cost,
            setup_cost=self.setup_cost,
        )
        require_positive("demand_degenerate", demand_units=self.demand_units, demand_sd_units=self.demand_sd_units)
        require_not_negative("lead_time_negative", lead_time_periods=self.lead_time_periods)

    @property
    def lead_time_mean_units(self) -> float:
        """Mean demand during the lead time."""
        return self.demand_units * self.lead_time_periods

    @property
    def lead_time_sd_units(self) -> float:
        """Spread of demand during the lead time."""
        return self.demand_sd_units * sqrt(self.lead_time_periods)


def reorder_cost(review: Review, reorder_point_units: float, quantity_units: float) -> float:
    """Exact expected cost per period of (r, Q) under normal lead-time demand.

    Source: Snyder & Shen, eq. 5.7 with the loss integral in closed form; example 5.1.
    """
    require_positive("quantity_not_positive", quantity_units=quantity_units)
    mean, spread = review.lead_time_mean_units, review.lead_time_sd_units
    upper = reorder_point_units + quantity_units
    held = review.holding_cost * quantity_units * (reorder_point_units + quantity_units / 2.0 - mean)
    short = normal_second_order_loss(reorder_point_units, mean, spread) - normal_second_order_loss(upper, mean, spread)
    both = review.holding_cost + review.stockout_cost
    return (review.setup_cost * review.demand_units + held + both * short) / quantity_units


def reorder_point_for(review: Review, quantity_units: float) -> float:
    """Best reorder point for a given Q: where holding and shortage cost at r and at r + Q are equal.

    Source: Snyder & Shen, eq. 5.11; example 5.1.
    """
    require_positive("quantity_not_positive", quantity_units=quantity_units)

    def imbalance(point: float) -> float:
        return _inventory_cost(review, point) - _inventory_cost(review, point + quantity_units)

    mean, spread = review.lead_time_mean_units, review.lead_time_sd_units
    reach = 10.0 * spread + quantity_units
    return float(optimize.brentq(imbalance, mean - reach, mean + reach, xtol=1e-12, rtol=1e-14))


def expected_inventory_level(review: Review) -> tuple[float, float, float]:
    """(r, Q, cost) by the expected-inventory-level approximation. Source: Snyder & Shen, section 5.3.1; example 5.2.

    Here the stock-out cost is money per unit short, whatever the wait.
    """
    mean, spread = review.lead_time_mean_units, review.lead_time_sd_units
    quantity = economic_order_quantity(
        setup_cost=review.setup_cost, holding_cost=review.holding_cost, demand_units=review.demand_units
    ).quantity_units
    point = mean
    for _ in range(1_000):  # converges geometrically; a thousand steps is far beyond any real instance
        tail = quantity * review.holding_cost / (review.stockout_cost * review.demand_units)
        if not 0.0 < tail < 1.0:
            raise PolicyRefusal("stockout_cost_too_low", f"holding a lot costs more than every stock-out: share {tail}")
        next_point = mean + spread * float(stats.norm.isf(tail))
        shortage, _left = normal_loss(next_point, mean, spread)
        next_quantity = sqrt(
            2.0 * review.demand_units * (review.setup_cost + review.stockout_cost * shortage) / review.holding_cost
        )
        settled = abs(next_point - point) < 1e-12 and abs(next_quantity - quantity) < 1e-12
        point, quantity = next_point, next_quantity
        if settled:
            break
    shortage, _left = normal_loss(point, mean, spread)
    cost = review.holding_cost * (point - mean + quantity / 2.0)
    cost += (review.setup_cost + review.stockout_cost * shortage) * review.demand_units / quantity
    return point, quantity, cost


def backorder_lot_then_point(review: Review) -> tuple[float, float]:
    """(r, Q): Q from the lot size with backorders, r exact for it. Source: Snyder & Shen, section 5.3.2; example 5.4."""
    quantity = lot_with_backorders(
        setup_cost=review.setup_cost,
        holding_cost=review.holding_cost,
        backorder_cost=review.stockout_cost,
        demand_units=review.demand_units,
    ).quantity_units
    return reorder_point_for(review, quantity), quantity


def lot_plus_safety_stock(review: Review) -> tuple[float, float]:
    """(r, Q): plain lot size, newsvendor reorder point. Source: Snyder & Shen, section 5.3.3; example 5.5."""
    quantity = economic_order_quantity(
        setup_cost=review.setup_cost, holding_cost=review.holding_cost, demand_units=review.demand_units
    ).quantity_units
    ratio = review.stockout_cost / (review.stockout_cost + review.holding_cost)
    return review.lead_time_mean_units + review.lead_time_sd_units * float(stats.norm.ppf(ratio)), quantity


def loss_approximation(review: Review) -> tuple[float, float]:
    """(r, Q) that ignores shortage above r + Q: n(r) = hQ/(h+p). Source: Snyder & Shen, section 5.3.4; example 5.6."""
    mean, spread = review.lead_time_mean_units, review.lead_time_sd_units
    both = review.holding_cost + review.stockout_cost
    quantity = economic_order_quantity(
        setup_cost=review.setup_cost, holding_cost=review.holding_cost, demand_units=review.demand_units
    ).quantity_units
    point = mean
    for _ in range(1_000):
        target = review.holding_cost * quantity / both

        def excess(level: float, wanted: float = target) -> float:
            return normal_loss(level, mean, spread)[0] - wanted

        next_point = float(optimize.brentq(excess, mean - target - 10 * spread, mean + 40 * spread, xtol=1e-12))
        tail = normal_second_order_loss(next_point, mean, spread)
        fixed = review.setup_cost * review.demand_units
        next_quantity = sqrt(2.0 * (fixed + both * tail) / review.holding_cost)
        settled = abs(next_point - point) < 1e-10 and abs(next_quantity - quantity) < 1e-10
        point, quantity = next_point, next_quantity
        if settled:
            break
    return point, quantity


def poisson_reorder(
    *,
    holding_cost: float,
    stockout_cost: float,
    setup_cost: float,
    demand_units: float,
    lead_time_periods: float,
) -> tuple[int, int, float]:
    """Exact (r, Q, cost per period) for Poisson demand: Q grows while the next best position still lowers the cost.

    Raises PolicyRefusal: costs_not_positive, demand_degenerate.
    Source: Federgruen & Zheng 1992; Snyder & Shen, section 5.5; example 5.8.
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("costs_not_positive", setup_cost=setup_cost)
    mean = demand_units * lead_time_periods
    require_positive("demand_degenerate", mean=mean)

    def position_cost(level: int) -> float:
        if level < 0:
            return stockout_cost * (mean - level)
        shortage, left_over = poisson_loss(level, mean)
        return holding_cost * left_over + stockout_cost * shortage

    best = int(stats.poisson.ppf(stockout_cost / (stockout_cost + holding_cost), mean))
    low = high = best
    total = setup_cost * demand_units + position_cost(best)
    while True:
        below, above = position_cost(low - 1), position_cost(high + 1)
        cost = total / (high - low + 1)
        if min(below, above) >= cost:
            return low - 1, high - low + 1, cost
        if below <= above:
            low, total = low - 1, total + below
        else:
            high, total = high + 1, total + above


def _inventory_cost(review: Review, position_units: float) -> float:
    shortage, left_over = normal_loss(position_units, review.lead_time_mean_units, review.lead_time_sd_units)
    return review.holding_cost * left_over + review.stockout_cost * shortage
