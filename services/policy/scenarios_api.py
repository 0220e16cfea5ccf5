"""Scenarios over HTTP: which signals count, within which bounds, which open lines they moved, and what if one were not."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI

from kit.database import Database
from kit.http import Problem
from kit.identity import Principal, require
from services.policy.domain.comparison import compare, without
from services.policy.domain.numbers import plain
from services.policy.governing import ITEMS_MAX, in_force, newest_evidence
from services.policy.store import runs, scenarios

Caller = Annotated[Principal, Depends(require())]
LINES_MAX = 200
# What a kind of signal may move, and the parameters that bound it; a kind that is not here is taken at its word.
STRATEGIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "viral_event": ("demand", ("viral_demand_max", "viral_target_max")),
    "holiday_peak": ("demand", ("holiday_peak_max",)),
    "competitor_out": ("demand", ("competitor_out_max",)),
    "economic_outlook": ("demand", ("economic_outlook_min",)),
    "after_holidays": ("demand", ("after_holidays_min",)),
    "supply_disruption": ("lead_time", ("supply_disruption_max",)),
}


def attach(app: FastAPI, database: Database) -> None:
    """Put the routes on the service's app."""
    routes = APIRouter()

    @routes.get("/scenarios")
    async def listed(caller: Caller) -> dict[str, Any]:
        """Signals that count or are coming at the newest business date, with what they did to the open lines."""
        async with database.transaction(caller.tenant) as tx:
            day = await runs.business_date(tx, caller.tenant, runs.EVERYTHING)
            _version, parameters = await in_force(tx, caller.tenant)
            known = await scenarios.around(tx, caller.tenant, day) if day is not None else []
            moved = by_signal(await scenarios.moved_lines(tx, caller.tenant))
        strategies = [
            {"kind": kind, "moves": moves, "bounds": {name: parameters[name] for name in names}}
            for kind, (moves, names) in STRATEGIES.items()
        ]
        signals = [_shown(one, day) | summed(moved[one["signal_id"]]) for one in known if day is not None]
        return {"business_date": day, "strategies": strategies, "signals": signals}

    @routes.get("/scenarios/{signal_id}/lines")
    async def lines(signal_id: str, caller: Caller) -> dict[str, Any]:
        """Open lines with their number with this signal and without it, those of most units first."""
        async with database.transaction(caller.tenant) as tx:
            if await scenarios.one(tx, caller.tenant, signal_id) is None:
                raise _unknown(signal_id)
            moved = by_signal(await scenarios.moved_lines(tx, caller.tenant))[signal_id]
        moved.sort(key=lambda one: (-abs(one["quantity"] - one["quantity_without"]), one["sku"], one["location"]))
        return {"items": [_as_text(one) for one in moved[:LINES_MAX]], "total": len(moved)}

    @routes.post("/scenarios/{signal_id}/without")
    async def what_if(signal_id: str, caller: Caller) -> dict[str, Any]:
        """The items this signal is about, planned as they are and as if nobody had told of it; changes nothing."""
        async with database.transaction(caller.tenant) as tx:
            signal = await scenarios.one(tx, caller.tenant, signal_id)
            if signal is None:
                raise _unknown(signal_id)
            items, known = await scenarios.items_in_scope(tx, caller.tenant, signal, ITEMS_MAX)
            evidences = await newest_evidence(tx, caller.tenant, items)
        effect = await asyncio.to_thread(compare, evidences, without(evidences, signal_id))
        return {"known_items": known} | effect

    app.include_router(routes)


def _unknown(signal_id: str) -> Problem:
    return Problem(404, "signal_not_found", "No such signal", f"There is no signal {signal_id[:64]!r} here.")


def _shown(one: Any, day: date) -> dict[str, Any]:
    state = "coming" if one["starts_at"].date() > day else "over" if one["ends_at"].date() <= day else "active"
    scope = {name: one[name] for name in ("sku", "location", "category", "supplier") if one[name] is not None}
    told = {
        name: one[name] for name in ("signal_id", "kind", "strength", "starts_at", "ends_at", "advisory", "told_at")
    }
    return told | {"probability": plain(one["probability"]), "scope": scope, "state": state}


def by_signal(rows: Sequence[dict[str, Any]]) -> defaultdict[str, list[dict[str, Any]]]:
    """The scenario steps of open lines, gathered by the signal they name."""
    gathered: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        inputs = row["step"]["inputs"]
        gathered[inputs["signal_id"]].append(
            {
                "recommendation_id": row["recommendation_id"],
                "sku": row["sku"],
                "location": row["location"],
                "quantity": Decimal(row["step"]["result"]),
                "quantity_without": Decimal(inputs["quantity_without"]),
                "reorder_point": Decimal(inputs["point_with"]),
                "reorder_point_without": Decimal(inputs["point_without"]),
                "unit_cost": Decimal(row["unit_cost"]),
                "currency": row["currency"],
            }
        )
    return gathered


def summed(moved: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How many open lines a signal touches, how many it changes, and by how many units and how much money."""
    changes = [one["quantity"] - one["quantity_without"] for one in moved]
    money = sum((change * one["unit_cost"] for change, one in zip(changes, moved, strict=True)), Decimal(0))
    currencies = {one["currency"] for one in moved}
    return {
        "lines": len(moved),
        "lines_changed": sum(change != 0 for change in changes),
        "units_added": plain(sum(changes, Decimal(0))),
        "value_added": plain(money),
        "currency": currencies.pop() if len(currencies) == 1 else None,
    }


def _as_text(one: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) if isinstance(value, Decimal) else value for name, value in one.items()}
