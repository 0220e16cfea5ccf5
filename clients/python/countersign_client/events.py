"""Events as CloudEvents 1.0, and what the gateway says about each of them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Event:
    """One event. (source, id) names it for ever: sending it again, also after a crash, changes nothing."""

    id: str
    source: str
    type: str
    time: str
    data: Mapping[str, Any]

    @classmethod
    def new(
        cls, kind: str, source: str, data: Mapping[str, Any], *, event_id: str | None = None, time: str | None = None
    ) -> Self:
        """An event of now with a random id. Give `event_id` (receipt line, document number) to make retries harmless."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return cls(event_id or str(uuid.uuid4()), source, kind, time or now, data)

    def structured(self) -> dict[str, Any]:
        """The event in CloudEvents' JSON format."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event: accepted (it survives a restart of everything), duplicate (it was accepted before), or
    rejected, with the field and the reason."""

    index: int
    id: str
    result: str
    field: str = ""
    reason: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether the gateway has the event for good."""
        return self.result in ("accepted", "duplicate")


@dataclass(slots=True)
class BatchReport:
    """All results of one `send`, in the order in which the events were given."""

    results: list[EventResult] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return sum(result.result == "accepted" for result in self.results)

    @property
    def duplicate(self) -> int:
        return sum(result.result == "duplicate" for result in self.results)

    @property
    def rejected(self) -> list[EventResult]:
        return [result for result in self.results if not result.is_safe]


@dataclass(slots=True)
class LinesReport:
    """What became of a stream of events: counts, and the events that were rejected. Its memory grows only with those."""

    accepted: int = 0
    duplicate: int = 0
    rejected: list[EventResult] = field(default_factory=list)
