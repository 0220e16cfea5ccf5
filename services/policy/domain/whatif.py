"""What the same cascade would say if a person's assumption held: other lead time, goal, demand, or a quantity of their own."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from services.policy.domain.cascade import plan
from services.policy.domain.columns import columns_of
from services.policy.domain.evidence import Evidence, Forecast, pack_integers
from services.policy.domain.levels import days_of_cover, levels_of
from services.policy.domain.line import cost_at
from services.policy.domain.numbers import decimal_of, money, plain
from services.policy.domain.outcome import Recommendation
from services.policy.domain.projection import project
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen


@dataclass(frozen=True, slots=True)
class Changes:
    """Assumptions in place of the evidence; None leaves it as it is."""

    quantity: Decimal | None = None
    lead_time_days: int | None = None
    service_level: Decimal | None = None
    demand_multiplier: Decimal | None = None


def changed(evidence: Evidence, changes: Changes) -> Evidence:
    """The evidence as the person assumes it to be."""
    if changes.lead_time_days is not None and evidence.terms is not None:
        evidence = replace(evidence, terms=replace(evidence.terms, lead_time_days=changes.lead_time_days))
    if changes.service_level is not None:
        level = changes.service_level
        rules = replace(
            evidence.policy.parameters,
            service_goal_a=level,
            service_goal_b=level,
            service_goal_c=level,
            service_goal_y_less=Decimal(0),
            service_goal_z_less=Decimal(0),
        )
        evidence = replace(evidence, policy=replace(evidence.policy, parameters=rules))
    if changes.demand_multiplier is not None and evidence.forecast is not None:
        evidence = replace(evidence, forecast=_scaled(evidence.forecast, changes.demand_multiplier))
    return replace(evidence, hold=None)


def _scaled(forecast: Forecast, multiplier: Decimal) -> Forecast:
    def scale(packed: bytes) -> bytes:
        return pack_integers(np.rint(np.frombuffer(packed, dtype="<i8") * float(multiplier)))

    return replace(forecast, mean_e4=scale(forecast.mean_e4), quantiles_e2=scale(forecast.quantiles_e2))


def answer(evidence: Evidence, changes: Changes) -> dict[str, Any]:
    """Quantity, levels, value, cover and risk under the changes; with a quantity of their own, what that would lead to.

    `quantity` "0" with a `reason` says why nothing would be ordered.
    """
    assumed = changed(evidence, changes)
    heard = heeded(assumed)  # as the cascade hears the signals
    found = screen(heard)
    if isinstance(found, Fault):
        return {"quantity": "0", "reason": found.reason, "says": found.says, "field": found.field, "steps": []}
    (outcome,) = plan([assumed])
    columns = columns_of([heard], [found])
    levels = levels_of(columns)
    steps = outcome.steps if isinstance(outcome, Recommendation) else []
    recommended = outcome.quantity if isinstance(outcome, Recommendation) else Decimal(0)
    quantity = changes.quantity if changes.quantity is not None else recommended
    after = np.asarray([float(levels.position[0]) + float(quantity)])
    assert assumed.terms is not None and assumed.as_of is not None  # screened above
    unit_cost = cost_at(assumed.terms, quantity)
    without, with_order, _first = project(columns, levels, np.asarray([float(quantity)]))
    return {
        "quantity": plain(quantity),
        "recommended_quantity": plain(recommended),
        "reason": None if isinstance(outcome, Recommendation) else outcome.reason,
        "says": outcome.said["explanation"] if isinstance(outcome, Recommendation) else outcome.says,
        "field": None,
        "unit_cost": plain(unit_cost),
        "value": str(money(quantity * unit_cost)),
        "inventory_position": plain(decimal_of(float(levels.position[0]))),
        "reorder_point": plain(decimal_of(float(levels.reorder_point[0]))),
        "order_up_to": plain(decimal_of(float(levels.order_up_to[0]))),
        "safety_stock": plain(decimal_of(float(levels.safety_stock[0]), 2)),
        "days_of_cover": float(days_of_cover(columns, after)[0]),
        "days_of_cover_without": float(levels.days_of_cover[0]),
        "stock_out_probability": round(1.0 - float(levels.exposure.probability_at_most(after)[0]), 4),
        "stock_out_probability_without": float(levels.stockout_probability[0]),
        "order_on": found.order_on.isoformat(),
        "arrive_on": found.arrive_on.isoformat(),
        "projection": {
            "origin": assumed.as_of.isoformat(),
            "without_order": without[0].tolist(),
            "with_order": with_order[0].tolist(),
        },
        "steps": steps,
    }
