"""The streaming variant of events in: lines are taken while they come, and answered while more come."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from kit import telemetry
from kit.http import Problem, respond
from services.gateway.access import Caller, identify
from services.gateway.context import Context
from services.gateway.ingest import batch
from services.gateway.ingest.lines import Lines

log = telemetry.get_logger()
MEDIA_TYPE = "application/x-ndjson"
# So many events are written to Kafka at once; memory holds two such groups.
GROUP_EVENTS = 500
# A sender that pauses learns what became of its events after so long, without filling a group first.
PAUSE_SECONDS = 0.2


class LinesAnswer(Response):
    """Reads the request's lines and answers group by group; its memory does not grow with the length of the stream.

    One line per event that was not accepted, then one per group: {through, accepted, duplicates, rejected}: every event up
    to index `through` that has no line of its own is accepted and durable. The last line says {done: true} with the totals,
    or {problem}: then everything behind the last `through` has to be sent again.
    """

    media_type = MEDIA_TYPE

    def __init__(self, request: Request, who: Caller, parts: Context) -> None:
        super().__init__()
        self._request, self._who, self._parts = request, who, parts
        self._totals = {"events": 0, "accepted": 0, "duplicates": 0, "rejected": 0}
        self._waiting: list[Any] = []
        self._lines = Lines()
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            is_whole = await self._read(receive, send)
            if not is_whole:  # the sender is gone: what it sent is taken, and there is nobody to tell
                return
            await self._say(send, {"done": True, **self._totals})
        except Problem as problem:
            if not self._has_begun:
                await respond(problem, self._request)(scope, receive, send)
                return
            instance = f"urn:request:{self._request.state.request_id}"
            await self._say(send, {"problem": problem.document(instance)})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read(self, receive: Receive, send: Send) -> bool:
        """Take every line; False when the sender went away. Raises Problem when Kafka does not take a group."""
        arriving = asyncio.ensure_future(receive())
        try:
            while True:
                done, _ = await asyncio.wait([arriving], timeout=PAUSE_SECONDS if self._waiting else None)
                if not done:
                    await self._take(send)
                    continue
                message = arriving.result()
                if message["type"] == "http.disconnect":
                    await self._take(None)
                    return False
                more = message.get("more_body", False)
                if more:  # the next piece may arrive while this one is written
                    arriving = asyncio.ensure_future(receive())
                for event in self._lines.feed(message.get("body", b"")):
                    self._waiting.append(event)
                    if len(self._waiting) == GROUP_EVENTS:
                        await self._take(send)
                if not more:
                    self._waiting += self._lines.end()
                    await self._take(send)
                    return True
        finally:
            arriving.cancel()

    async def _take(self, send: Send | None) -> None:
        """Write the waiting group and say what became of it."""
        if not self._waiting:
            return
        if await identify(self._request) is None:  # a stream must not outlive the key or session that opened it
            raise Problem(401, "not_signed_in", "You are not signed in any more", "Sign in, or send a valid API key.")
        group, self._waiting = self._waiting, []
        count = len(group)
        outcome = await batch.take(
            group,
            self._who.tenant,
            self._parts.publisher,
            self._parts.recent,
            first=self._totals["events"],
            patient=True,
        )
        self._totals["events"] += count
        counts = {"accepted": outcome.accepted, "duplicates": outcome.duplicates, "rejected": outcome.rejected}
        for name, count in counts.items():
            self._totals[name] += count
        if send is not None:
            told = [result for result in outcome.results if result.result != "accepted"]
            await self._say(send, *told, {"through": self._totals["events"] - 1, **counts})

    async def _say(self, send: Send, *lines: Mapping[str, Any] | batch.Result) -> None:
        if not self._has_begun:
            self._has_begun = True
            headers = [(b"content-type", MEDIA_TYPE.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        await send({"type": "http.response.body", "body": body, "more_body": True})
