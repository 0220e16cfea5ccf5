"""From a line to the recommendation's document: what, why, the steps in words, the evidence and the identity."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kernel.ids import Namespace
from services.policy.domain.evidence_text import CODE_VERSION, canonical, sha256_of_text, text_of
from services.policy.domain.line import Line
from services.policy.domain.numbers import plain
from services.policy.domain.steps import Step, explanation
from services.policy.domain.wording import steps_of

IDS = Namespace(uuid.uuid5(uuid.NAMESPACE_URL, "countersign:recommendations"))
CURRENCY_UNKNOWN = "XXX"  # ISO 4217: no currency
# What a person decides on: recommendations that are equal in these say the same.
SIGNED = (
    "action", "quantity", "supplier", "value", "order_on", "arrive_on", "route_reasons", "changes_order", "from_location",
    "stands_in_for",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A line in words: its name, its message without what is written already, what is, and what a person decides on."""

    identity: str
    said: dict[str, Any]
    parts: dict[str, bytes]
    signature: str


def render(line: Line, without_order: str, with_order: str) -> Written:
    """An order to place, in words; expected stock by day as `projection.texts_of` writes it."""
    return written(line, "buy", what_of(line), steps_of(line), without_order, with_order)


def written(
    line: Line,
    action: str,
    what: Mapping[str, Any],
    steps: tuple[Step, ...],
    without_action: str,
    with_action: str,
) -> Written:
    """A line in words. Its name follows from the evidence: the same evidence, the same name."""
    text = text_of(line.evidence)
    digest = sha256_of_text(text)
    identity = IDS.id_of(digest)
    origin = line.as_of.isoformat()
    said: dict[str, Any] = {
        "tenant": line.evidence.tenant,
        "sku": line.evidence.sku,
        "location": line.evidence.location,
        "recommendation_id": identity,
        "action": action,
        "origin": origin,
        **what,
        **_why(line),
        "explanation": explanation(steps),
        "policy_version": line.evidence.policy.version,
        "code_version": CODE_VERSION,
        "evidence_sha256": digest,
    }
    parts = {
        "evidence": text,
        "steps": orjson.dumps([one.document() for one in steps], option=orjson.OPT_SORT_KEYS),
        "projection": f'{{"origin":"{origin}","with_order":{with_action},"without_order":{without_action}}}'.encode(),
    }
    signature = canonical({name: said[name] for name in SIGNED if name in said}).decode()
    return Written(identity, said, parts, signature)


def what_of(line: Line) -> dict[str, Any]:
    """What to order, from whom, for when, at which price."""
    terms, numbers, amounts = line.terms, line.numbers, line.amounts
    what = {
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
    }
    if terms.moq is not None:
        what["moq"] = plain(terms.moq)
    if terms.pack is not None:
        what["pack"] = plain(terms.pack)
    return what


def _why(line: Line) -> dict[str, Any]:
    """The state and the levels it follows from, what is at risk, and who decides."""
    numbers, amounts, forecast = line.numbers, line.amounts, line.evidence.forecast
    assert forecast is not None  # screening refused the others
    why = {
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
    }
    stockout_on = line.stockout_on
    if stockout_on is not None:
        why["stockout_on"] = stockout_on
    if amounts.gmroi is not None:
        why["gmroi"] = float(amounts.gmroi)
    return why
