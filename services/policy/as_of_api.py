"""What stood at a past moment, for the gateway: the position by event time, the same as it was known, and what came late."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI

from kit.database import Database
from kit.identity import Principal, require
from schemas.base import Instant
from services.policy.domain.as_of import Entry, Figure, State, late, state
from services.policy.domain.numbers import plain
from services.policy.store import as_of

Caller = Annotated[Principal, Depends(require())]
# Ids of a figure's evidence that are written out, newest first; the movements route pages through all of them.
SHOWN_MAX = 50
RECEIVED = ("receipt", "transfer_in", "transfer_out")


def attach(app: FastAPI, database: Database) -> None:
    """Put the route on the service's app."""
    router = APIRouter()

    @router.get("/positions/{sku}/{location}/as-of")
    async def read_as_of(
        sku: str, location: str, caller: Caller, at: Instant, known_at: Instant | None = None
    ) -> dict[str, Any]:
        """The position at `at` by all that is known now, and by what had come by `known_at` (default: `at`). Null where nothing
        had happened, or was known, by then; `first_at` is the moment of the first movement."""
        known_by = known_at or at
        async with database.transaction(caller.tenant) as tx:
            first_at = await as_of.first_moment(tx, caller.tenant, sku, location)
            entries = await as_of.entries(tx, caller.tenant, sku, location, at, known_by)
            supply = await as_of.supply(tx, caller.tenant, sku, location)
            forecast = await as_of.forecast(tx, caller.tenant, sku, location, at)
        missed = late(entries, at, known_by)
        return {
            "first_at": first_at,
            "position": _state(state(entries, at)),
            "position_as_known": _state(state(entries, at, known_by)),
            "late": [_entry(one) for one in missed[:SHOWN_MAX]],
            "late_total": len(missed),
            "received": [_entry(one) for one in entries if one.order_id is not None and one.kind in RECEIVED],
            "supply": supply,
            "forecast": forecast,
        }

    app.include_router(router)


def _state(found: State | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {name: _figure(getattr(found, name)) for name in ("on_hand", "reserved", "backorders")}


def _figure(figure: Figure) -> dict[str, Any]:
    newest: Sequence[Entry] = figure.moved[: -SHOWN_MAX - 1 : -1]
    return {
        "quantity": plain(figure.quantity),
        "counted": _entry(figure.counted) if figure.counted is not None else None,
        "movements": len(figure.moved),
        "event_hashes": [one.event_hash for one in newest],
    }


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "event_hash": one.event_hash,
        "kind": one.kind,
        "quantity": plain(one.quantity),
        "occurred_at": one.occurred_at,
        "received_at": one.received_at,
        "order_id": one.order_id,
    }
