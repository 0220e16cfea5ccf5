"""From a line to the recommendation's document: what, why, the steps in words, the evidence and the identity."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from services.policy.domain.evidence_text import CODE_VERSION, canonical, sha256_of_text, text_of
from services.policy.domain.line import Line
from services.policy.domain.numbers import plain
from services.policy.domain.steps import Step, explanation
from services.policy.domain.wording import steps_of

IDS = uuid.uuid5(uuid.NAMESPACE_URL, "countersign:recommendations")
CURRENCY_UNKNOWN = "XXX"  # ISO 4217: no currency
# What a person decides on: recommendations that are equal in these say the same.
SIGNED = (
    "action", "quantity", "supplier", "value", "order_on", "arrive_on", "route_reasons", "changes_order", "from_location",
    "stands_in_for",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A line in words: its name, its document without the evidence, what a person decides on, and the evidence as canonical text."""

    identity: str
    document: dict[str, Any]
    signature: str
    evidence_text: bytes


def render(line: Line, without_order: list[float], with_order: list[float]) -> Written:
    """An order to place, in words."""
    return written(line, "buy", what_of(line), steps_of(line), without_order, with_order)


def written(
    line: Line,
    action: str,
    what: Mapping[str, Any],
    steps: tuple[Step, ...],
    without_action: list[float],
    with_action: list[float],
) -> Written:
    """A line in words. Its name follows from the evidence: the same evidence, the same name."""
    text = text_of(line.evidence)
    digest = sha256_of_text(text)
    identity = str(uuid.uuid5(IDS, digest))
    document: dict[str, Any] = {
        "tenant": line.evidence.tenant,
        "sku": line.evidence.sku,
        "location": line.evidence.location,
        "recommendation_id": identity,
        "action": action,
        "origin": line.as_of.isoformat(),
        **what,
        **_why(line),
        "steps": [one.document() for one in steps],
        "explanation": explanation(steps),
        "projection": {
            "origin": line.as_of.isoformat(),
            "without_order": plain_floats(without_action),
            "with_order": plain_floats(with_action),
        },
        "policy_version": line.evidence.policy.version,
        "code_version": CODE_VERSION,
        "evidence_sha256": digest,
    }
    signature = canonical({name: document[name] for name in SIGNED if name in document}).decode()
    return Written(identity, document, signature, text)


def what_of(line: Line) -> dict[str, Any]:
    """What to order, from whom, for when, at which price."""
    terms, numbers, amounts = line.terms, line.numbers, line.amounts
    optional = {
        "moq": None if terms.moq is None else plain(terms.moq),
        "pack": None if terms.pack is None else plain(terms.pack),
    }
    return {
        "quantity": plain(numbers.quantity),
        "unit": line.item.unit,
        "supplier": terms.supplier,
        "unit_cost": plain(amounts.unit_cost),
        "value": str(amounts.value),
        "currency": terms.currency or line.item.currency or CURRENCY_UNKNOWN,
        "order_on": line.opportunity.order_on.isoformat(),
        "arrive_on": line.opportunity.arrive_on.isoformat(),
        "excess_from_rounding": plain(numbers.excess),
        "excess_cost": str(amounts.excess_cost),
    } | {name: value for name, value in optional.items() if value is not None}


def _why(line: Line) -> dict[str, Any]:
    """The state and the levels it follows from, what is at risk, and who decides."""
    numbers, amounts, forecast = line.numbers, line.amounts, line.evidence.forecast
    assert forecast is not None  # screening refused the others
    optional = {
        "stockout_on": line.stockout_on,
        "gmroi": None if amounts.gmroi is None else float(amounts.gmroi),
    }
    return {
        "on_hand": plain(line.evidence.stock.on_hand),
        "on_order": plain(numbers.on_order),
        "reserved": plain(line.evidence.stock.reserved),
        "inventory_position": plain(numbers.position),
        "days_of_cover": float(numbers.days_of_cover),
        "stockout_probability": plain(numbers.stockout_probability),
        "reorder_point": plain(numbers.reorder_point),
        "order_up_to": plain(numbers.order_up_to),
        "money_at_risk": str(amounts.at_risk),
        "confidence": plain(line.confidence),
        "approved_by_rule": not line.reasons,
        "route_reasons": list(line.reasons),
        "forecast_id": forecast.forecast_id,
    } | {name: value for name, value in optional.items() if value is not None}


def plain_floats(values: list[float]) -> list[str]:
    """Floats that are rounded to two decimals as contract strings, without idle zeros. One text of them all is written and
    taken apart again: to format 112 numbers of a projection one by one would cost as much as the words of its steps."""
    text = orjson.dumps(values).decode()[1:-1] + ","
    return text.replace(".0,", ",").split(",")[:-1]
