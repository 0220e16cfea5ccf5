"""Comments on lines: said to the approvals service, told to whom they name."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api import models, present
from services.gateway.api.deciding import IdempotencyKey, once, segment
from services.gateway.api.shared import Limit, Parts, Who, not_found
from services.gateway.domain.mentions import mentioned
from services.gateway.store import accounts
from services.gateway.store import mentions as store

router = APIRouter(prefix="/v1", tags=["comments"])
# What nobody looked at for a fortnight is found with its item, not among what waits.
MENTIONS_SHOWN_FOR = timedelta(days=14)


class Comment(BaseModel):
    """What to say about a line. `@name` asks for the attention of the account of this name."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "@ben The supplier confirmed Thursday by phone."}]}
    )
    text: Annotated[str, Field(min_length=1, max_length=1000)]


@router.post("/recommendations/{recommendation_id}/comments", status_code=201, summary="Say something about a line")
async def comment(
    recommendation_id: str, body: Comment, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Kept with who and when, shown with the item, and an event in the audit log. It decides nothing. `mentions` of the
    answer are the accounts it names: they see it under `GET /v1/mentions` and are told by mail if they want that."""
    path = f"/lines/{segment(recommendation_id)}/comments"
    headers = once(idempotency_key)
    async with parts.database.transaction(who.tenant) as tx:
        people = await accounts.colleagues(tx, who.tenant) if "@" in body.text else []
    names = mentioned(body.text, (one["username"] for one in people))
    said = {"text": body.text, "mentions": list(names)}
    answer = await parts.owners.call("approvals", "POST", path, who.principal, json=said, headers=headers)
    made: dict[str, Any] = answer.json()
    return made


@router.get("/mentions", summary="Comments that name you, newest first")
async def mentions(
    who: Who,
    parts: Parts,
    limit: Limit = 20,
    unseen: Annotated[bool, Query(description="only what was not looked at yet")] = False,
) -> models.Listed[models.MentionView]:
    """Of the last fourteen days. Who reads only what they cover is not shown what was said of other lines."""
    since = parts.clock.now() - MENTIONS_SHOWN_FOR
    async with parts.reading(who) as tx:
        rows = await store.mentions_of(tx, who.tenant, who.principal.subject, since, limit, unseen=unseen)
    return models.Listed(items=[present.mention(row) for row in rows])


@router.post("/mentions/{comment_id}/seen", status_code=204, summary="Say that you looked at a comment that names you")
async def seen(comment_id: str, who: Who, parts: Parts) -> None:
    """For yourself alone: it is no answer, nobody else is told, and it is in no log. Done again it changes nothing."""
    async with parts.reading(who) as tx:
        if not await store.is_mention_of(tx, who.tenant, who.principal.subject, comment_id):
            raise not_found("comment", comment_id)
    async with parts.database.transaction(who.tenant) as tx:
        await store.mark_seen(tx, who.tenant, who.principal.subject, comment_id, parts.clock.now())


@router.get("/colleagues", summary="Who can be named in a comment")
async def colleagues(who: Who, parts: Parts) -> models.Listed[models.ColleagueView]:
    """Open accounts, by user name; roles and sign-ins are for administrators."""
    async with parts.database.transaction(who.tenant) as tx:
        rows = await accounts.colleagues(tx, who.tenant)
    return models.Listed(items=[models.ColleagueView(**row) for row in rows])
