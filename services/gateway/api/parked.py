"""Events that wait for a name: looked at, set free by saying what a code means, tried again, or dropped with a reason."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kernel import gtin
from kit.http import Problem
from schemas.base import Code as Identifier
from schemas.base import Text
from schemas.catalogue import IdentityAliasDefined, ReferenceAliasDefined, Subject
from services.gateway.access import Caller
from services.gateway.api import models
from services.gateway.api.shared import Cursor, Limit, Parts, Who, behind
from services.gateway.api.telling import send, told_by
from services.gateway.context import Context
from services.gateway.domain.cursors import write_cursor
from services.gateway.owners import path_of
from services.gateway.store.rows import instant

router = APIRouter(prefix="/v1", tags=["held events"])
# Policy and forecaster read sales and stock and wait for the same names, policy and approvals answers to orders; policy is
# asked first, because its positions order goods.
KEEPERS = ("policy", "forecaster", "approvals")
Keeper = Literal["policy", "forecaster", "approvals"]
Key = Annotated[str, Query(min_length=1, max_length=300, description="tenant/sku/location, as the list shows it")]
EXAMPLE_KEY = "demo/04012345678901/367"


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReleaseKey(_In):
    """Try the events of this key again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"record_key": EXAMPLE_KEY}]})
    record_key: Annotated[str, Field(min_length=1, max_length=300)]


class DropParked(ReleaseKey):
    """Take one waiting event of this key out for good, or (none named) all of them."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"record_key": EXAMPLE_KEY, "reason": "a test till"}]}
    )
    event_hash: UUID | None = None
    reason: Text


class Alias(_In):
    """`code` of this scheme stands for `target`, an own code, from `valid_from` on. `active` false takes it back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"subject": "item", "scheme": "gtin", "code": "4012345678901", "target": "1029743"}]
        },
    )
    subject: Subject
    scheme: Literal["gtin", "supplier_code", "legacy_code", "own_code"]
    code: Identifier
    target: Identifier
    supplier: Identifier | None = None
    valid_from: date | None = None
    active: bool = True

    @property
    def is_reference(self) -> bool:
        """Whether it is a code of what events make, not of what the catalogue defines."""
        return self.subject in ("purchase_order", "commitment")

    @model_validator(mode="after")
    def _fits_its_scheme(self) -> Self:
        if self.code == self.target:
            raise ValueError("code and target are the same; name another target")
        if self.scheme == "supplier_code" and self.supplier is None:
            raise ValueError("a supplier's code needs its supplier")
        if self.scheme == "gtin" and self.is_reference:
            raise ValueError("a GTIN is never the code of a purchase order or commitment; name another scheme")
        if self.scheme == "gtin" and (fault := gtin.fault(self.code)) is not None:
            raise ValueError(fault)
        return self


@router.get("/parked", summary="Keys whose events wait until somebody says what a code means")
async def keys(
    who: Who, parts: Parts, service: Keeper = "policy", limit: Limit = 50, cursor: Cursor = None
) -> models.Page[models.ParkedKeyView]:
    """Each with its first waiting event. Policy waits for whatever another service waits for; `service` says whose list it is."""
    query = f"parked {service}"
    after = behind(query, cursor, (str,)) or ("",)
    wanted = {"after": after[0], "limit": limit}
    answer = (await parts.owners.call(service, "GET", "/held/parked", who.principal, params=wanted)).json()
    next_after = answer["next_after"]
    return models.Page(
        items=[models.ParkedKeyView(**item) for item in answer["items"]],
        next_cursor=write_cursor(query, (next_after,)) if next_after else None,
    )


@router.get("/parked/events", summary="The waiting events of one key, in their order")
async def events_of_key(
    who: Who, parts: Parts, record_key: Key, service: Keeper = "policy", limit: Limit = 50
) -> models.Listed[models.ParkedEventView]:
    """With their original bytes."""
    wanted = {"record_key": record_key, "limit": limit}
    answer = await parts.owners.call(service, "GET", "/held/parked/events", who.principal, params=wanted)
    return models.Listed(items=[models.ParkedEventView(**item) for item in answer.json()["items"]])


@router.post("/parked:release", summary="Try the events of a key again")
async def release(body: ReleaseKey, who: Who, parts: Parts) -> models.ReleaseView:
    """In their order; what still has no name goes on waiting, and nothing is guessed."""
    told = await _both(parts, who, "/held/parked/release", body.model_dump(mode="json"))
    return models.ReleaseView(
        record_key=body.record_key,
        handled={name: one["handled"] for name, one in told.items()},
        waiting={name: one["waiting"] for name, one in told.items()},
    )


@router.post("/parked:drop", summary="Take waiting events out for good, with the reason")
async def drop(body: DropParked, who: Who, parts: Parts) -> models.DroppedView:
    """At every service where they wait. A rebuild leaves them out too; who and why goes into the audit log."""
    told = await _both(parts, who, "/held/parked/drop", body.model_dump(mode="json", exclude_none=True))
    return models.DroppedView(
        record_key=body.record_key, dropped={name: len(one["dropped"]) for name, one in told.items()}
    )


async def _both(parts: Context, who: Caller, path: str, body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Do it wherever the key waits. Raises Problem 404 when it waits nowhere; done again, it does what was left."""
    told = {}
    nowhere: Problem | None = None
    for service in KEEPERS:
        try:
            told[service] = (await parts.owners.call(service, "POST", path, who.principal, json=body)).json()
        except Problem as problem:
            if problem.code != "key_not_parked":
                raise
            nowhere = problem
    if not told and nowhere is not None:
        raise nowhere
    return told


@router.get("/names/{subject}/{code}", summary="What a code means for a day, and every fact told about it")
async def meaning(
    subject: Subject,
    code: Identifier,
    on: Annotated[date, Query(description="business day")],
    who: Who,
    parts: Parts,
    known_at: Annotated[datetime | None, Query(description="as it was known at this moment")] = None,
) -> models.MeaningView:
    """By the policy service, which books positions by it."""
    wanted = {"on": on.isoformat(), "known_at": known_at.isoformat() if known_at else None}
    path = path_of("names", subject, code)
    return models.MeaningView(**(await parts.owners.call("policy", "GET", path, who.principal, params=wanted)).json())


@router.post("/aliases", summary="Say what a code means", status_code=201)
async def define_alias(body: Alias, who: Who, parts: Parts) -> models.AliasView:
    """A fact of the master data, kept for ever under the name of the person who told it; events that waited for it flow."""
    now = parts.clock.now()
    data = {**body.model_dump(mode="json", exclude_none=True), "defined_at": instant(now)}
    alias = ReferenceAliasDefined if body.is_reference else IdentityAliasDefined
    event = told_by(who, alias.TYPE, data, now)
    await send(parts, who, event)
    return models.AliasView(event_id=event["id"], code=body.code, target=body.target)
