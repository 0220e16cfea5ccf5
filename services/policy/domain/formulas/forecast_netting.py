"""Forecast netting: orders that are known already are part of what was forecast, and are not planned a second time."""

from collections.abc import Sequence

from services.policy.domain.refusal import PolicyRefusal, require_not_negative


def net_forecast(
    gross_units: Sequence[float], order_units: Sequence[float], *, early_periods: int = 0, late_periods: int = 0
) -> list[float]:
    """What of the forecast of each period no order has consumed yet, units; planned are the orders and this.

    An order consumes the forecast of its own period first, then of up to `early_periods` before it, the nearest first, then
    of up to `late_periods` after it; periods are netted in their order. What no forecast is left for was not foreseen, and
    is planned as the order alone. Raises PolicyRefusal: periods_differ, demand_invalid.
    Source: frePPLe documentation, Forecast netting.
    """
    if len(gross_units) != len(order_units) or min(early_periods, late_periods) < 0:
        told = f"{len(gross_units)} forecasts, {len(order_units)} orders, {early_periods=}, {late_periods=}"
        raise PolicyRefusal("periods_differ", told)
    for gross, ordered in zip(gross_units, order_units, strict=True):
        require_not_negative("demand_invalid", gross_units=gross, order_units=ordered)
    net = list(gross_units)
    for period, ordered in enumerate(order_units):
        left = ordered
        earlier = range(period - 1, max(period - early_periods, 0) - 1, -1)
        later = range(period + 1, min(period + late_periods, len(net) - 1) + 1)
        for place in (period, *earlier, *later):
            taken = min(net[place], left)
            net[place] -= taken
            left -= taken
    return net
