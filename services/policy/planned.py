"""What planning leads to, and the time it carries."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from kit.events import Outgoing
from services.policy.domain.outcome import Recommendation

SERVICE = "policy"
# Planned before any day has closed: the beginning of the calendar stands in where a message needs a time.
BEFORE_ANY_DAY = date(1970, 1, 1)


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


def moment(as_of: date | None) -> datetime:
    """When a plan became true: the close of the business date it stands on, never a server's clock."""
    return datetime.combine((as_of or BEFORE_ANY_DAY) + timedelta(days=1), time(), UTC)
