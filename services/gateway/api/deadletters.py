"""Dead letters: looked at, replayed, corrected and sent again, or dropped with a reason; each at the service that holds it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from kit.http import Problem
from schemas.base import Text
from schemas.topics import ALL
from services.gateway.access import Caller
from services.gateway.api import models
from services.gateway.api.models.held import Holder
from services.gateway.api.shared import Code, Cursor, Limit, Parts, Who, behind
from services.gateway.api.telling import send
from services.gateway.context import Context
from services.gateway.domain.corrections import corrected_event, sibling_letters
from services.gateway.domain.cursors import write_cursor

router = APIRouter(prefix="/v1", tags=["held events"])
HOLDERS: tuple[Holder, ...] = get_args(Holder)
LETTERS_MAX = 200
_TOPICS = {topic.name: topic for topic in ALL}
EXAMPLE_ID = "0b6f1c1e-5d0c-5a53-9d64-1f7f1f1f1f1f"
State = Literal["waiting", "replayed", "dropped"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Letter(_In):
    service: Holder
    letter_id: UUID


class Replay(_In):
    """Letters to handle again, each service's in the order in which they died."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"letters": [{"service": "policy", "letter_id": EXAMPLE_ID}]}]}
    )
    letters: Annotated[list[Letter], Field(min_length=1, max_length=LETTERS_MAX)]


class DropLetters(Replay):
    """Letters to take out, with the reason the audit log keeps."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"letters": [{"service": "policy", "letter_id": EXAMPLE_ID}], "reason": "the installer's test sales"}
            ]
        },
    )
    reason: Text


class Correction(_In):
    """The event as it should have been, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "type": "sale.recorded.v1",
                    "time": "2017-11-05T18:04:11Z",
                    "data": {
                        "sku": "1029743",
                        "location": "367",
                        "quantity": "2",
                        "business_date": "2017-11-05",
                        "sold_at": "2017-11-05T18:04:11Z",
                    },
                    "reason": "the till sent the price as quantity",
                }
            ]
        },
    )
    type: Annotated[str, Field(min_length=1, max_length=100)]
    time: Annotated[str, Field(min_length=1, max_length=40)]
    data: dict[str, Any]
    # The owner's record names the corrected event before it.
    reason: Annotated[str, Field(min_length=1, max_length=120)]


@router.get("/dead-letters", summary="Events no service could handle, oldest first")
async def letters(
    who: Who,
    parts: Parts,
    service: Holder | None = None,
    state: State = "waiting",
    code: Code = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> models.Page[models.DeadLetterView]:
    """Service after service. An event that two services could not handle is listed by each, at the same place."""
    query = f"dead-letters {service} {state} {code}"
    asked = HOLDERS if service is None else (service,)
    first, after = behind(query, cursor, (int, int)) or (0, 0)
    items: list[dict[str, Any]] = []
    for number in range(max(first, 0), len(asked)):
        wanted = {"state": state, "code": code, "after": after, "limit": limit - len(items)}
        answer = await parts.owners.call(asked[number], "GET", "/held/dead", who.principal, params=wanted)
        items += [{"service": asked[number], **item} for item in answer.json()["items"]]
        if len(items) == limit:
            next_cursor = write_cursor(query, (number, items[-1]["seq"]))
            return models.Page(items=[models.DeadLetterView(**item) for item in items], next_cursor=next_cursor)
        after = 0
    return models.Page(items=[models.DeadLetterView(**item) for item in items])


@router.get("/dead-letters/{service}/{letter_id}", summary="One dead letter")
async def letter(service: Holder, letter_id: UUID, who: Who, parts: Parts) -> models.DeadLetterView:
    """With its original bytes and headers."""
    found = await parts.owners.call(service, "GET", f"/held/dead/{letter_id}", who.principal)
    return models.DeadLetterView(service=service, **found.json())


@router.post("/dead-letters:replay", summary="Handle dead letters again")
async def replay(body: Replay, who: Who, parts: Parts) -> models.Listed[models.LetterOutcome]:
    """Each takes the way every event takes, once: what was counted before is not counted again."""
    outcomes: list[models.LetterOutcome] = []
    for service in HOLDERS:
        wanted = [str(one.letter_id) for one in body.letters if one.service == service]
        if not wanted:
            continue
        answer = await parts.owners.call(
            service, "POST", "/held/dead/replay", who.principal, json={"letter_ids": wanted}
        )
        told = {item["letter_id"]: item for item in answer.json()["items"]}
        for letter_id in dict.fromkeys(wanted):
            found = told.get(letter_id, {"letter_id": letter_id, "outcome": "unknown"})
            outcomes.append(models.LetterOutcome(service=service, **found))
    return models.Listed(items=outcomes)


@router.post("/dead-letters:drop", summary="Take dead letters out for good, with the reason")
async def drop(body: DropLetters, who: Who, parts: Parts) -> models.Listed[models.LetterOutcome]:
    """Their bytes stay where they are; who dropped them and why goes into the audit log."""
    chosen = [(one.service, str(one.letter_id)) for one in body.letters]
    return models.Listed(items=await _drop(parts, who, list(dict.fromkeys(chosen)), body.reason))


async def _drop(
    parts: Context, who: Caller, chosen: Sequence[tuple[Holder, str]], reason: str
) -> list[models.LetterOutcome]:
    outcomes = []
    for service, letter_id in chosen:
        outcome: Literal["dropped", "settled_before", "unknown"] = "dropped"
        try:
            path = f"/held/dead/{letter_id}/drop"
            await parts.owners.call(service, "POST", path, who.principal, json={"reason": reason})
        except Problem as problem:
            if problem.code not in ("letter_settled", "letter_unknown"):
                raise
            outcome = "settled_before" if problem.code == "letter_settled" else "unknown"
        outcomes.append(models.LetterOutcome(service=service, letter_id=letter_id, outcome=outcome))
    return outcomes


@router.post("/dead-letters/{service}/{letter_id}/correction", summary="Send a dead letter's event again, corrected")
async def correct(service: Holder, letter_id: UUID, body: Correction, who: Who, parts: Parts) -> models.CorrectionView:
    """The corrected event gets an id of its own that follows from the place of the letter, so it counts once however often
    it is sent. Refused when another service could handle the original: it would count twice there."""
    found = (await parts.owners.call(service, "GET", f"/held/dead/{letter_id}", who.principal)).json()
    if found["state"] != "waiting":
        raise Problem(409, "letter_settled", "This dead letter is settled", f"It was {found['state']} before.")
    settled: list[tuple[Holder, str]] = [(service, str(letter_id)), *await _siblings(parts, who, service, found)]
    event = corrected_event(who.tenant, found, body.type, body.time, body.data)
    await send(parts, who, event, lambda refused: f"{refused.field}: {refused.reason}. Nothing was sent.")
    outcomes = await _drop(parts, who, settled, f"corrected as {event['id']}: {body.reason}")
    return models.CorrectionView(event_id=event["id"], settled=outcomes)


async def _siblings(parts: Context, who: Caller, service: Holder, found: Mapping[str, Any]) -> list[tuple[Holder, str]]:
    """The same event's letters at the other services that read its topic. Raises Problem 409 when one has none."""
    topic = _TOPICS[found["topic"]]
    siblings: list[tuple[Holder, str]] = []
    for other in HOLDERS:
        if other == service or other not in topic.consumers:
            continue
        for letter_id in sibling_letters(parts.settings.namespace, other, found):
            try:
                await parts.owners.call(other, "GET", f"/held/dead/{letter_id}", who.principal)
            except Problem as problem:
                if problem.status != 404:
                    raise
            else:
                siblings.append((other, letter_id))
                break
        else:
            if not topic.compacted:  # of master data the newest version counts, so a copy harms nobody
                detail = (
                    f"{other} has handled this event, or has not read it yet; a corrected copy would count twice there."
                )
                raise Problem(409, "handled_elsewhere", "Another service has taken this event", detail, service=other)
    return siblings
