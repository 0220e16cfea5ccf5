"""Comments on a line: what somebody said about it, as an event; it decides nothing and changes no version."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from kernel.ids import derived_id
from kit import outbox
from kit.clock import Clock
from kit.database import Database, Transaction
from kit.identity import Principal, require
from kit.relay import Relay
from services.approvals import messages
from services.approvals.api import problems
from services.approvals.api.once import Outcome, idempotency_key, once, refused
from services.approvals.store import lines

Caller = Annotated[Principal, Depends(require())]


class CommentIn(BaseModel):
    """What to say; blanks around it do not count. `mentions`: the accounts it names, which the gateway has looked up."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    mentions: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=20)] = ()


def router(database: Database, relay: Relay, clock: Clock) -> APIRouter:
    """The route of comments."""
    routes = APIRouter(tags=["comments"])

    @routes.post("/lines/{line_id}/comments", summary="Say something about a line")
    async def comment(line_id: str, body: CommentIn, principal: Caller, request: Request) -> Response:
        """`line_id` is the line's or any of its recommendations'. Needs Idempotency-Key."""
        key = idempotency_key(request)

        async def work(tx: Transaction) -> Outcome:
            found = (await lines.resolve(tx, principal.tenant, [line_id])).get(line_id)
            line = await lines.find(tx, principal.tenant, found) if found is not None else None
            if line is None:
                return refused(problems.line_not_found(line_id))
            comment_id = derived_id("comment", principal.tenant, principal.subject, line.line_id, key)
            comment = messages.Comment(comment_id, body.text, body.mentions)
            said = messages.line_commented(line, comment, principal, clock.now())
            await outbox.enqueue(tx, [said])
            answer = {"comment_id": comment_id, "line_id": line.line_id, "by": principal.subject}
            return 201, answer | {"mentions": list(body.mentions)}, None

        return await once(database, relay, principal, request, key, work)

    return routes
