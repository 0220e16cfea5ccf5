"""When the supplier can fail: how much more to order, or to hold, because an order may find nobody there."""

from math import ceil, exp, log, sqrt

from scipy import optimize

from services.policy.domain.refusal import PolicyRefusal, require_not_negative, require_positive


def lot_cost_with_disruptions(
    quantity_units: float,
    *,
    setup_cost: float,
    holding_cost: float,
    stockout_cost: float,
    demand_units: float,
    disruption_rate: float,
    recovery_rate: float,
) -> float:
    """Expected cost per period of ordering Q when stock is gone, from a supplier that is up and down at random.

    Holding: money per unit and period; stock-out: money per unit lost; demand per period, certain; up times are
    exponential with rate `disruption_rate`, down times with `recovery_rate`. Raises PolicyRefusal: costs_not_positive,
    demand_degenerate, quantity_not_positive.
    Source: Parlar & Berkin 1991, Berk & Arreola-Risa 1994; Snyder & Shen, eq. 9.5; example 9.1.
    """
    require_not_negative("costs_not_positive", setup_cost=setup_cost)
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("demand_degenerate", demand_units=demand_units)
    require_positive("rates_not_positive", disruption_rate=disruption_rate, recovery_rate=recovery_rate)
    require_positive("quantity_not_positive", quantity_units=quantity_units)
    rates = disruption_rate + recovery_rate
    is_down = disruption_rate / rates * (1.0 - exp(-rates * quantity_units / demand_units))
    cycle_cost = setup_cost + holding_cost * quantity_units**2 / (2.0 * demand_units)
    cycle_cost += stockout_cost * demand_units * is_down / recovery_rate
    return cycle_cost / (quantity_units / demand_units + is_down / recovery_rate)


def lot_with_disruptions(
    *,
    setup_cost: float,
    holding_cost: float,
    stockout_cost: float,
    demand_units: float,
    disruption_rate: float,
    recovery_rate: float,
) -> tuple[float, float]:
    """(Q in units, expected cost per period) under supplier disruptions; units and refusals as above.

    The search starts around Snyder's approximation, which is within a few per cent of the optimum.
    Source: Snyder & Shen, section 9.2; example 9.1.
    """

    def cost(quantity: float) -> float:
        return lot_cost_with_disruptions(
            quantity,
            setup_cost=setup_cost,
            holding_cost=holding_cost,
            stockout_cost=stockout_cost,
            demand_units=demand_units,
            disruption_rate=disruption_rate,
            recovery_rate=recovery_rate,
        )

    cost(1.0)  # refuses bad input before anything is computed from it
    share = disruption_rate / (disruption_rate + recovery_rate) * demand_units * holding_cost
    inner = setup_cost * demand_units * recovery_rate
    inner += demand_units * stockout_cost * share / holding_cost
    near = (sqrt(share**2 + 2.0 * holding_cost * recovery_rate * inner) - share) / (holding_cost * recovery_rate)
    found = optimize.minimize_scalar(
        cost, bounds=(near / 10.0, near * 10.0), method="bounded", options={"xatol": 1e-7 * near, "maxiter": 500}
    )
    return float(found.x), float(found.fun)


def base_stock_with_disruptions(
    *, holding_cost: float, stockout_cost: float, demand_units: float, disruption_chance: float, recovery_chance: float
) -> tuple[float, float]:
    """(S in units, expected cost per period) for certain demand and a supplier that is up or down by period.

    `disruption_chance`: that an up period is followed by a down one; `recovery_chance`: the other way round. S covers
    whole periods of demand, as many as the critical ratio of the outage's length asks for. Raises PolicyRefusal:
    costs_not_positive, demand_degenerate, chance_invalid.
    Source: Tomlin 2006; Snyder & Shen, eq. 9.14 and 9.18; example 9.3.
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("demand_degenerate", demand_units=demand_units)
    for name, chance in (("disruption_chance", disruption_chance), ("recovery_chance", recovery_chance)):
        if not 0.0 < chance < 1.0:
            raise PolicyRefusal("chance_invalid", f"{name}={chance} must lie between 0 and 1")
    is_down = disruption_chance / (disruption_chance + recovery_chance)
    ratio = stockout_cost / (stockout_cost + holding_cost)
    periods = 0
    while 1.0 - is_down * (1.0 - recovery_chance) ** periods < ratio:
        periods += 1
    level = demand_units * (1 + periods)
    # Outages longer than this have together a probability below a ten-billionth.
    longest = max(ceil(log(1e-10 / is_down) / log(1.0 - recovery_chance)), periods + 1)
    cost = 0.0
    for length in range(longest + 1):
        mass = 1.0 - is_down if length == 0 else is_down * recovery_chance * (1.0 - recovery_chance) ** (length - 1)
        gap = level - (length + 1) * demand_units
        cost += mass * (holding_cost * max(gap, 0.0) + stockout_cost * max(-gap, 0.0))
    return level, cost
