"""What planning leads to, and the time it carries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

from kit.events import Outgoing, outgoing
from schemas.recommendations import RecommendationIssued
from services.policy.domain.evidence_text import canonical_with
from services.policy.domain.outcome import Recommendation

SERVICE = "policy"
# Planned before any day has closed: the beginning of the calendar stands in where a message needs a time.
BEFORE_ANY_DAY = date(1970, 1, 1)
NO_PROJECTION = {"origin": BEFORE_ANY_DAY, "without_order": (), "with_order": ()}


@dataclass(slots=True)
class Planned:
    """What planning some items led to. `says` goes to the outbox; `proposed` counts items with an order of their own."""

    says: list[Outgoing] = field(default_factory=list)
    proposed: int = 0
    published: int = 0


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


def issued(
    body: Mapping[str, Any], evidence_text: bytes, as_of: date | None
) -> tuple[RecommendationIssued, bytes, Outgoing]:
    """(what consumers read of a recommendation, the JSON it is published and kept as, its event).

    The JSON is written once. Checked against the contract is what was made of codes, words and money; evidence and projection
    are long lists of our own numbers, whose form the tests hold to it.
    """
    message = RecommendationIssued.model_validate({**body, "evidence": {}, "projection": NO_PROJECTION})
    text = canonical_with(body, evidence_text)
    identity = message.recommendation_id
    return message, text, outgoing(message, service=SERVICE, cause=identity, time=moment(as_of), value=text)


def moment(as_of: date | None) -> datetime:
    """When a plan became true: the close of the business date it stands on, never a server's clock."""
    return datetime.combine((as_of or BEFORE_ANY_DAY) + timedelta(days=1), time(), UTC)
