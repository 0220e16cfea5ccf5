"""What planning leads to, and the time it carries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

import orjson

from kit import packing
from kit.clock import zone_of
from kit.events import Outgoing, outgoing_text
from schemas.demand import ItemMessage, item_key
from schemas.recommendations import RecommendationIssued, RecommendationWithheld
from services.policy.domain.evidence import Evidence
from services.policy.domain.evidence_text import canonical_with
from services.policy.domain.outcome import Recommendation
from services.policy.fitting import check_issued, check_withheld

SERVICE = "policy"
# Planned before any day has closed: the beginning of the calendar stands in where a message needs a time.
BEFORE_ANY_DAY = date(1970, 1, 1)


@dataclass(slots=True)
class Planned:
    """What planning some items led to. `says` goes to the outbox; `proposed` counts items with an order of their own."""

    says: list[Outgoing] = field(default_factory=list)
    proposed: int = 0
    published: int = 0
    zones: Mapping[str, str] = field(default_factory=dict)  # time zones of the locations whose suppliers have a cut-off


class Said(Protocol):
    """What a line's newest plan said, as it is kept."""

    @property
    def is_open(self) -> bool: ...
    @property
    def recommendation_id(self) -> str | None: ...
    @property
    def signature(self) -> str | None: ...


def is_news(said: Said, outcome: Recommendation) -> bool:
    """Whether this differs from what the open line says already. A line whose decision was undone is open with the
    recommendation it had."""
    if not said.is_open:
        return True
    return outcome.signature != said.signature and outcome.recommendation_id != said.recommendation_id


def issued(body: Mapping[str, Any], parts: Mapping[str, bytes], as_of: date | None) -> tuple[bytes, Outgoing]:
    """(the JSON a recommendation is published as, packed as it is kept, its event). The JSON is written once: `parts` of it
    are already. Raises ValidationError where what was made of codes and money does not fit the contract."""
    check_issued(body)
    text = canonical_with(body, parts)
    kept = packing.pack(text, packing.RECOMMENDATION)
    return kept, _said(RecommendationIssued, body, text, as_of, kept)


def withheld(body: Mapping[str, Any], as_of: date | None) -> Outgoing:
    """The event of a why-not. Raises ValidationError, as `issued`."""
    check_withheld(body)
    return _said(RecommendationWithheld, body, orjson.dumps(body), as_of)


def _said(
    kind: type[ItemMessage], body: Mapping[str, Any], text: bytes, as_of: date | None, packed: bytes | None = None
) -> Outgoing:
    key, cause = item_key(body["tenant"], body["sku"], body["location"]), body["recommendation_id"]
    return outgoing_text(
        kind, body["tenant"], key, text, service=SERVICE, cause=cause, time=moment(as_of), packed=packed
    )


def signals_told(evidence: Evidence, outcome: Recommendation) -> str | None:
    """What the steps of a derivation say about signals that moved it, and what a unit costs, as JSON: a page that lists all
    lines a signal moved reads this instead of their documents. None for a line no signal moved."""
    steps = [one for one in outcome.steps if one["code"] == "scenario"] if evidence.signals else []
    if not steps:
        return None
    money = {name: outcome.said[name] for name in ("unit_cost", "currency")}
    return orjson.dumps(money | {"steps": steps}).decode()


def order_days(evidence: Evidence, outcome: Recommendation, zones: Mapping[str, str]) -> dict[str, str]:
    """Until when what is bought counts for its order day, and the order day and arrival that hold after that."""
    if outcome.next_days is None:
        return {}
    order_on, arrive_on = outcome.next_days
    days = {"next_order_on": order_on.isoformat(), "next_arrive_on": arrive_on.isoformat()}
    if evidence.terms is None or evidence.terms.cut_off is None:
        return days
    day, minute = date.fromisoformat(outcome.said["order_on"]), time.fromisoformat(evidence.terms.cut_off)
    until = datetime.combine(day, minute, zone_of(zones.get(evidence.location)))
    return days | {"order_until": until.astimezone(UTC).isoformat().replace("+00:00", "Z")}


def moment(as_of: date | None) -> datetime:
    """When a plan became true: the close of the business date it stands on, never a server's clock."""
    return datetime.combine((as_of or BEFORE_ANY_DAY) + timedelta(days=1), time(), UTC)
