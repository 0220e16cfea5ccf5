"""Demand-driven buffers (DDMRP): three zones, the net flow position, and when to order how much."""

from dataclasses import dataclass

from services.policy.domain.refusal import PolicyRefusal, require_not_negative, require_positive


@dataclass(frozen=True, slots=True)
class Zones:
    """Sizes of the zones in units. An order is due when the net flow position is at or below `top_of_yellow`."""

    red: float
    yellow: float
    green: float

    @property
    def top_of_yellow(self) -> float:
        """Red + yellow: the order point."""
        return self.red + self.yellow

    @property
    def top_of_green(self) -> float:
        """The whole buffer: the order-up-to level."""
        return self.red + self.yellow + self.green


def buffer_zones(
    *,
    daily_usage_units: float,
    lead_time_days: float,
    lead_time_factor: float,
    variability_factor: float,
    order_cycle_days: float = 0.0,
    minimum_order_units: float = 0.0,
) -> Zones:
    """Zones of a buffer: yellow = usage x lead time; red = yellow x lead-time factor x (1 + variability factor);
    green = the largest of yellow x lead-time factor, usage x order cycle, and the minimum order.

    Both factors are shares in (0, 1]. Raises PolicyRefusal: demand_degenerate, lead_time_negative, factor_invalid.
    Source: Ptak & Smith, Demand Driven Material Requirements Planning, chapter 8; Dynamics 365 and IFS documentation.
    """
    require_positive("demand_degenerate", daily_usage_units=daily_usage_units)
    require_positive("lead_time_negative", lead_time_days=lead_time_days)
    require_not_negative("quantity_negative", cycle=order_cycle_days, minimum=minimum_order_units)
    for name, factor in (("lead_time_factor", lead_time_factor), ("variability_factor", variability_factor)):
        if not 0.0 < factor <= 1.0:
            raise PolicyRefusal("factor_invalid", f"{name}={factor} must be above 0 and at most 1")
    yellow = daily_usage_units * lead_time_days
    base = yellow * lead_time_factor
    return Zones(
        red=base * (1.0 + variability_factor),
        yellow=yellow,
        green=max(base, daily_usage_units * order_cycle_days, minimum_order_units),
    )


def net_flow_position(on_hand_units: float, on_order_units: float, qualified_demand_units: float) -> float:
    """On hand + on order - demand due today, overdue, and spikes within the horizon; units. Source: Ptak & Smith, ch. 9."""
    return on_hand_units + on_order_units - qualified_demand_units


def buffer_order(zones: Zones, net_flow_units: float) -> float:
    """Units to order: up to the top of green when the net flow position is at or below the top of yellow, else 0."""
    return zones.top_of_green - net_flow_units if net_flow_units <= zones.top_of_yellow else 0.0
