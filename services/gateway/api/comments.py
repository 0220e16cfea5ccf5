"""Comments on lines: said to the approvals service, told to whom they name."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api import models, present
from services.gateway.api.deciding import IdempotencyKey, once, segment
from services.gateway.api.shared import Limit, Parts, Who
from services.gateway.domain.mentions import mentioned
from services.gateway.store import accounts, views

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
async def mentions(who: Who, parts: Parts, limit: Limit = 20) -> models.Listed[models.MentionView]:
    """Of the last fourteen days."""
    since = parts.clock.now() - MENTIONS_SHOWN_FOR
    async with parts.reading(who) as tx:
        rows = await views.mentions_of(tx, who.tenant, who.principal.subject, since, limit)
    return models.Listed(items=[present.mention(row) for row in rows])


@router.get("/colleagues", summary="Who can be named in a comment")
async def colleagues(who: Who, parts: Parts) -> models.Listed[models.ColleagueView]:
    """Open accounts, by user name; roles and sign-ins are for administrators."""
    async with parts.database.transaction(who.tenant) as tx:
        rows = await accounts.colleagues(tx, who.tenant)
    return models.Listed(items=[models.ColleagueView(**row) for row in rows])
