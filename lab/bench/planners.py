"""Fifty planners at one gateway process: each works through lines of their own, at the pace of the keyboard review.

Per line a planner reads it with its derivation, decides it, and every fifth line reads the list and its totals again; all
hold a live stream open, as their browsers would. People do not move in step: each begins at a moment of their own and reads
the list at a line of their own, so that the load is the same in every second. Each request is due at a time set beforehand,
and its time counts from then, so that waiting behind a slow answer is not left out.
"""

import asyncio
import itertools
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from kit.database import Database
from lab.bench.machine import percentiles
from lab.bench.wire import Wire
from services.gateway.access import COOKIE
from services.gateway.accounts import hash_password
from services.gateway.domain.access import PLANNER
from services.gateway.domain.credentials import SECRET_BYTES, SESSION_MARK, write_secret
from services.gateway.store import accounts

# One line in two seconds is what the keyboard review reaches; no person is faster all day.
SECONDS_PER_LINE = 2.0
LIST_EVERY_LINES = 5
TIMEOUT_SECONDS = 30.0
VERDICTS: tuple[dict[str, str], ...] = (
    *({"verdict": "approve"},) * 8,
    {"verdict": "amend", "quantity": "15", "reason": "promotion_known"},
    {"verdict": "reject", "reason": "not_needed"},
)


async def seats(database_url: str, tenant: str, count: int) -> list[str]:
    """Session tokens of `count` planners, each an account of its own; their password is nobody's."""
    database = await Database.open(database_url, "gateway", pool_max=2)
    hashed = await asyncio.to_thread(hash_password, secrets.token_urlsafe(18))
    now = datetime.now(UTC)
    made = []
    try:
        for number in range(count):
            name = f"planner{number:02}"
            secret = write_secret(SESSION_MARK, tenant, secrets.token_bytes(SECRET_BYTES + 6))
            async with database.transaction(tenant) as tx:
                await accounts.put_account(tx, tenant, name, name=name, roles=(PLANNER,), password_hash=hashed)
                await accounts.open_session(tx, tenant, name, secret.sha256, now, now + timedelta(hours=1))
            made.append(secret.text)
    finally:
        await database.close()
    return made


@dataclass(slots=True)
class Tally:
    """What all planners saw: milliseconds of reads and decisions, decisions that were recorded, and refusals."""

    reads: list[float] = field(default_factory=list)
    decisions: list[float] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    heard: int = 0

    def document(self) -> dict[str, Any]:
        """As the bench tells it."""
        return {
            "reads": {"count": len(self.reads), "milliseconds": percentiles(self.reads)},
            "decisions": {"count": len(self.decisions), "milliseconds": percentiles(self.decisions)},
            "refused": dict(self.refused),
            "live_events_heard": self.heard,
        }


@dataclass(frozen=True, slots=True)
class Planner:
    """One person's browser."""

    client: Wire
    lines: Sequence[str]
    tally: Tally
    place: int

    async def work(self, begins: float) -> None:
        """Every line in its turn."""
        for number, line in enumerate(self.lines):
            due = begins + number * SECONDS_PER_LINE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if (number + self.place) % LIST_EVERY_LINES == 0:
                due = await self._read("/v1/recommendations?limit=50", due)
                due = await self._read("/v1/recommendations/summary", due)
            await self._decide(line, VERDICTS[number % len(VERDICTS)], due)

    async def _read(self, path: str, due: float) -> float:
        answer = await self.client.ask("GET", path)
        assert answer.status == HTTPStatus.OK, answer.body[:300]
        ended = time.perf_counter()
        self.tally.reads.append((ended - due) * 1000)
        return ended

    async def _decide(self, line: str, body: dict[str, str], due: float) -> None:
        due = await self._read(f"/v1/recommendations/{line}", due)
        status, told = await decide(self.client, line, '"0"', body)
        self.tally.decisions.append((time.perf_counter() - due) * 1000)
        if status == HTTPStatus.OK:
            self.tally.recorded.append(told["decision_id"])
        else:
            self.tally.refused[f"{status} {told.get('code')}"] += 1

    async def listen(self) -> None:
        """The live stream, open until the work is over."""
        cut = b""

        def heard(piece: bytes) -> None:
            nonlocal cut
            *whole, cut = (cut + piece).split(b"\n")
            self.tally.heard += whole.count(b"event: decision")

        await self.client.listen("/v1/stream", heard)


async def decide(client: Wire, line: str, etag: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and document of one decision."""
    headers = {"if-match": etag, "idempotency-key": str(uuid.uuid4())}
    path = f"/v1/recommendations/{line}/decisions"
    answer = await client.ask("POST", path, body=orjson.dumps(body), headers=headers)
    told: dict[str, Any] = orjson.loads(answer.body)
    return answer.status, told


async def measure(
    url: str, tokens: Sequence[str], lines: Sequence[str], contested: str
) -> tuple[dict[str, Any], set[str]]:
    """The figures, and the ids of all decisions that were answered as recorded. `lines` are dealt out evenly; all planners
    decide `contested` at the same moment. Raises AssertionError when a read fails or not exactly one of them wins."""
    tally = Tally()
    hands = [lines[number :: len(tokens)] for number in range(len(tokens))]
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    clients = [
        Wire(parts.hostname, parts.port, {"cookie": f"{COOKIE}={token}", "origin": url}, TIMEOUT_SECONDS)
        for token in tokens
    ]
    planners = [
        Planner(client, hand, tally, place) for place, (client, hand) in enumerate(zip(clients, hands, strict=True))
    ]
    streams = [asyncio.create_task(one.listen()) for one in planners]
    try:
        await asyncio.gather(*(one.client.ask("GET", "/v1/status") for one in planners))
        begun = time.perf_counter()
        stagger = SECONDS_PER_LINE / len(planners)
        await asyncio.gather(*(one.work(begun + one.place * stagger) for one in planners))
        seconds = time.perf_counter() - begun
        asked = [decide(client, contested, '"0"', {"verdict": "approve"}) for client in clients]
        outcomes = await asyncio.gather(*asked)
    finally:
        ended = [stream for stream in streams if stream.done()]
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        for client in clients:
            client.close()
    assert not ended, f"{len(ended)} live streams ended on their own: {ended[0].exception()!r}"
    won = [told["decision_id"] for status, told in outcomes if status == HTTPStatus.OK]
    assert len(won) == 1, f"{len(won)} of {len(outcomes)} planners decided the same line"
    lost = Counter(str(status) for status, _ in itertools.filterfalse(lambda one: one[0] == HTTPStatus.OK, outcomes))
    document = {"planners": len(planners), "seconds": round(seconds, 1), "lines": sum(len(hand) for hand in hands)}
    document |= tally.document() | {"same_line_at_once": {"recorded": 1, "refused": dict(lost)}}
    return document, {*tally.recorded, *won}
