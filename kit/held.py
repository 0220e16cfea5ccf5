"""The internal API of held-up events: what is parked and what is dead, at the service that holds it.

A person looks, corrects the master data (through the gateway), tries again, or takes out with a reason. The gateway
calls these routes for each service that reads events; nothing here changes a position by itself.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from kernel import naming
from kit import deadletters, names, outbox, parking, references
from kit.consumer import BatchConsumer
from kit.database import Database, Transaction, scope
from kit.errors import Rejected
from kit.events import Outgoing, outgoing
from kit.http import Problem
from kit.identity import Principal, require
from schemas.base import Text
from schemas.catalogue import Subject
from schemas.recommendations import HeldEventSettled

Caller = Annotated[Principal, Depends(require())]
# Who may take events out or let them in: those who answer for the numbers.
Keeper = Annotated[Principal, Depends(require("planner", "approver", "admin"))]
PAGE_MAX = 200
# What books parked events whose names are clear by now, and returns what to publish.
Free = Callable[[Transaction, str], Awaitable[list[Outgoing]]]


class ReleaseRequest(BaseModel):
    """Try the events of a key again."""

    model_config = ConfigDict(extra="forbid")
    record_key: Annotated[str, Field(min_length=1, max_length=300)]


class DropRequest(BaseModel):
    """Take parked events of a key out for good: one, or all of them."""

    model_config = ConfigDict(extra="forbid")
    record_key: Annotated[str, Field(min_length=1, max_length=300)]
    event_hash: UUID | None = None
    reason: Text


class DropLetterRequest(BaseModel):
    """Take a dead letter out of the list, with the reason."""

    model_config = ConfigDict(extra="forbid")
    reason: Text


class ReplayRequest(BaseModel):
    """Dead letters to handle again, in the order in which they died."""

    model_config = ConfigDict(extra="forbid")
    letter_ids: Annotated[list[UUID], Field(min_length=1, max_length=PAGE_MAX)]


def attach(
    app: FastAPI,
    database: Database,
    consumer: BatchConsumer,
    free: Free | None = None,
    made: Mapping[str, references.Made] = MappingProxyType({}),
    alike: Mapping[str, references.Alike] = MappingProxyType({}),
) -> None:
    """Add the routes. `free` is for services that park events by their names; `made` says of purchase orders and
    commitments which there are, where the service knows, and `alike` which to offer to somebody who types one."""
    router = APIRouter(prefix="/held")
    _dead(router, database, consumer)
    _parked(router, database, free)
    app.include_router(router)
    if free is not None:
        app.include_router(_names(database, made, alike))


def _parked(router: APIRouter, database: Database, free: Free | None) -> None:
    @router.get("/parked")
    async def parked_keys(
        who: Caller, after: str = "", limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50
    ) -> dict[str, Any]:
        """Keys that wait, each with its first event, how many wait, why and since when."""
        async with database.transaction(who.tenant) as tx:
            items = await parking.keys_page(tx, who.tenant, after, limit)
        return {"items": items, "next_after": items[-1]["record_key"] if len(items) == limit else None}

    @router.get("/parked/events")
    async def parked_events(
        who: Caller, record_key: str, limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50
    ) -> dict[str, Any]:
        """The waiting events of one key, in the order in which they will be handled."""
        async with database.transaction(who.tenant) as tx:
            return {"items": await parking.events_of(tx, who.tenant, record_key, limit)}

    @router.post("/parked/release")
    async def release(body: ReleaseRequest, who: Keeper) -> dict[str, Any]:
        """Try again whatever waits; says how many events of the key were handled and how many still wait."""
        async with database.transaction(who.tenant) as tx:
            before = len(await parking.events_of(tx, who.tenant, body.record_key, PAGE_MAX))
            if free is not None:
                await deadletters.enqueue(tx, await free(tx, who.tenant))
                await scope(tx, who.tenant)
            left = len(await parking.events_of(tx, who.tenant, body.record_key, PAGE_MAX))
        if before == 0:
            raise _unknown_key(body.record_key)
        return {"record_key": body.record_key, "handled": before - left, "waiting": left}

    @router.post("/parked/drop")
    async def drop(body: DropRequest, who: Keeper) -> dict[str, Any]:
        """Take events out for good; who and why is kept with them, and a rebuild leaves them out too."""
        async with database.transaction(who.tenant) as tx:
            taken = await parking.drop(
                tx, who.tenant, body.record_key, event_hash=body.event_hash, reason=body.reason, by=who.subject
            )
            for one in taken:
                said = _settled(database.service, who, one, "parked", "dropped", body.reason)
                await outbox.enqueue(tx, [said])
            if free is not None and taken:
                await deadletters.enqueue(tx, await free(tx, who.tenant))
        if not taken:
            raise _unknown_key(body.record_key)
        return {"record_key": body.record_key, "dropped": taken}


def _unknown_key(key: str) -> Problem:
    return Problem(404, "key_not_parked", "Nothing waits under this key", f"No event waits under {key!r}.")


def _dead(router: APIRouter, database: Database, consumer: BatchConsumer) -> None:
    @router.get("/dead")
    async def letters(
        who: Caller,
        state: Literal["waiting", "replayed", "dropped"] = "waiting",
        code: str | None = None,
        after: int = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> dict[str, Any]:
        """Dead letters, oldest first, with the reason and the original bytes."""
        async with database.transaction(who.tenant) as tx:
            items = await deadletters.page(tx, who.tenant, state=state, code=code, after=after, limit=limit)
        return {"items": items, "next_after": items[-1]["seq"] if len(items) == limit else None}

    @router.post("/dead/replay")
    async def replay(body: ReplayRequest, who: Keeper) -> dict[str, Any]:
        """Handle dead letters again, one transaction each, in the order in which they died."""
        async with database.transaction(who.tenant) as tx:
            rows = [await deadletters.find(tx, who.tenant, letter_id) for letter_id in set(body.letter_ids)]
        outcomes = []
        for row in sorted((row for row in rows if row is not None), key=lambda row: int(row["seq"])):
            try:
                error = await _replay(database, consumer, who, row["letter_id"])
            except LookupError:
                outcomes.append({"letter_id": str(row["letter_id"]), "outcome": "settled_before"})
                continue
            outcome = {"outcome": "replayed"}
            if error is not None:
                outcome = {"outcome": "died_again", "code": error.code, "detail": error.message}
            outcomes.append({"letter_id": str(row["letter_id"]), **outcome})
        return {"items": outcomes}

    @router.get("/dead/{letter_id}")
    async def letter(letter_id: UUID, who: Caller) -> dict[str, Any]:
        """One dead letter."""
        async with database.transaction(who.tenant) as tx:
            row = await deadletters.find(tx, who.tenant, letter_id)
        if row is None:
            raise _unknown_letter(letter_id)
        return deadletters.describe(row)

    @router.post("/dead/{letter_id}/drop")
    async def drop_letter(letter_id: UUID, body: DropLetterRequest, who: Keeper) -> dict[str, Any]:
        """Settle a dead letter without handling it; who and why is kept."""
        async with database.transaction(who.tenant) as tx:
            row = await deadletters.find(tx, who.tenant, letter_id, lock=True)
            if row is None:
                raise _unknown_letter(letter_id)
            done = await deadletters.settle(
                tx, who.tenant, letter_id, state="dropped", by=who.subject, reason=body.reason
            )
            if done:
                facts = deadletters.describe(row)
                said = _settled(database.service, who, facts, "dead_letter", "dropped", body.reason)
                await outbox.enqueue(tx, [said])
        if not done:
            raise Problem(409, "letter_settled", "This dead letter is settled", f"It was {row['state']} before.")
        return {"letter_id": str(letter_id), "state": "dropped"}


async def _replay(database: Database, consumer: BatchConsumer, who: Principal, letter_id: UUID) -> Rejected | None:
    """Handle a dead letter again, in one transaction with marking it replayed; the reason if it dies again.

    It takes the way every event takes: what was seen before is dropped, what nobody can name is parked.
    Raises LookupError for a letter that is not there or was settled before.
    """
    try:
        async with database.transaction(who.tenant) as tx:
            row = await deadletters.find(tx, who.tenant, letter_id, lock=True)
            if row is None or row["state"] != "waiting":
                raise LookupError(str(letter_id))
            says = await consumer.handle_again(tx, deadletters.read_again(row))
            for one in says:
                deadletters.raise_if_letter(one)
            await outbox.enqueue(tx, says)
            await scope(tx, who.tenant)
            await deadletters.settle(tx, who.tenant, letter_id, state="replayed", by=who.subject, reason="handled")
            facts = deadletters.describe(row)
            said = _settled(database.service, who, facts, "dead_letter", "replayed", "handled again without fault")
            await outbox.enqueue(tx, [said])
    except Rejected as error:
        async with database.transaction(who.tenant) as tx:
            await deadletters.died_again(tx, who.tenant, letter_id, error)
        return error
    consumer.committed()
    return None


def _settled(
    service: str,
    who: Principal,
    facts: Mapping[str, Any],
    held_as: Literal["dead_letter", "parked"],
    action: Literal["replayed", "dropped"],
    reason: str,
) -> Outgoing:
    """What the audit log is told, in the transaction of the act itself: who settled which event, how and why."""
    now = datetime.now(UTC)
    body = HeldEventSettled(
        tenant=who.tenant,
        consumer=service,
        held_as=held_as,
        action=action,
        topic=facts["topic"],
        partition=facts["partition"],
        offset=facts["offset"],
        event_id=(facts["event_id"] or "")[:400],
        code=facts.get("code") or facts.get("reason") or "",
        settled_by=who.subject,
        settled_at=now,
        reason=reason,
    )
    cause = facts.get("letter_id") or facts["event_hash"]
    return outgoing(body, service=service, cause=f"{held_as}:{cause}", time=now, name=action)


def _unknown_letter(letter_id: UUID) -> Problem:
    return Problem(404, "letter_unknown", "There is no such dead letter", f"None has the id {letter_id}.")


def _names(database: Database, made: Mapping[str, references.Made], alike: Mapping[str, references.Alike]) -> APIRouter:
    router = APIRouter()

    @router.get("/names/{subject}/{code}")
    async def meaning(
        subject: Subject,
        code: str,
        who: Caller,
        on: date,
        known_at: datetime | None = None,
    ) -> dict[str, Any]:
        """What a code means for a business day, as known now or at a moment; and every fact ever told about it."""
        memory = names.Names()
        at_ms = naming.NOW_MS if known_at is None else int(known_at.timestamp() * 1000)
        async with database.transaction(who.tenant) as tx:
            if subject in made:
                facts = await references.facts_about(tx, who.tenant, subject, [code], made[subject])
                found = naming.known_meaning(facts, code, on, at_ms)
            else:
                await memory.refresh(tx, who.tenant)
                await memory.learn(tx, who.tenant, subject, [code])
                found = memory.known(who.tenant, subject, code, on, at_ms)
            told = await names.history(tx, who.tenant, subject, code)
            offered = await alike[subject](tx, who.tenant, code) if subject in alike else []
        meant = {"code": code, "target": found.target, "candidates": list(found.candidates)}
        return meant | {"facts": _facts(told), "alike": offered}

    return router


def _facts(told: list[naming.Fact]) -> list[dict[str, Any]]:
    return [
        {
            "code": one.code,
            "scheme": one.scheme,
            "supplier": one.supplier or None,
            "target": one.target,
            "active": one.active,
            "valid_from": one.valid_from.isoformat() if one.valid_from else None,
            "defined_at": one.defined_at.isoformat(),
            "told_at_ms": one.told_at_ms,
        }
        for one in told
    ]
