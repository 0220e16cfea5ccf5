"""What the checkers may look at, and nothing else: records as they lie in Kafka, rows as they lie in Postgres, the history."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from lab.chaos.history import Op

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that does not hold. `kind` is what happened (lost, doubled, foreign, …), `what` names it."""

    invariant: str
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Rec:
    """One committed record of a topic (name without namespace)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int = 0

    def header(self, name: str) -> str:
        """A header as text; empty when it is not there."""
        return next(
            (raw.decode(errors="replace") for known, raw in self.headers if known == name and raw is not None), ""
        )

    @property
    def tenant(self) -> str:
        """Whose it says it is: by its header, else by its key."""
        return self.header("ce_tenant") or (self.key or b"").decode(errors="replace").partition("/")[0]

    @property
    def id(self) -> tuple[str, str]:
        """(source, id): what identifies an event."""
        return self.header("ce_source"), self.header("ce_id")

    @property
    def hash(self) -> bytes:
        """16 bytes that stand for (source, id), as the contract defines them."""
        return event_hash(*self.id)

    def body(self) -> dict[str, Any]:
        """The message. Raises ValueError for one that is none."""
        found = orjson.loads(self.value or b"")
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found


def event_hash(source: str, identity: str) -> bytes:
    """BLAKE2b-128 over source, a zero byte, id (docs/flows.md)."""
    return blake2b(f"{source}\x00{identity}".encode(), digest_size=16).digest()


@dataclass(slots=True)
class Evidence:
    """All of it. `records` by topic name; `tables` by `schema.table`; `bad` are values that were injected as unreadable."""

    records: dict[str, list[Rec]] = field(default_factory=dict)
    tables: dict[str, Sequence[Row]] = field(default_factory=dict)
    history: Sequence[Op] = ()
    tenants: Sequence[str] = ()
    public_keys: dict[str, bytes] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    recoveries: Sequence[tuple[str, float]] = ()
    recovery_seconds_max: float = 120.0

    def bad(self) -> dict[tuple[str, bytes], int]:
        """Injected records that nobody can read, by topic and value: how often each was written at most."""
        found: dict[tuple[str, bytes], int] = {}
        for op in self.history:
            if op.f == "poison" and op.type == "ok":
                for topic, packed in op.value:
                    place = (topic, base64.b64decode(packed))
                    found[place] = found.get(place, 0) + 1
        return found

    def good(self, *topics: str) -> Iterator[Rec]:
        """Distinct readable events of these topics, the first of each id, in order of place."""
        bad, seen = self.bad(), set[tuple[str, str]]()
        for topic in topics:
            for rec in self.records.get(topic, ()):
                if (topic, rec.value or b"") in bad or rec.id in seen:
                    continue
                seen.add(rec.id)
                yield rec

    def decisions(self) -> list[dict[str, Any]]:
        """Every decision, once, in order of place. Who a line was given to is on the same topic and is none."""
        return [rec.body() for rec in self.good("decisions.v1") if rec.header("ce_type") == "decision.made.v1"]

    def rows(self, table: str) -> Sequence[Row]:
        """Rows of a table; none when it was not collected."""
        return self.tables.get(table, ())
