"""Scenarios: the signals that count and what they did to the plan, asked of the policy service, with the items' names."""

from typing import Any

from fastapi import APIRouter

from kit.clock import zone_of
from services.gateway.api.planning import OWNERS_ANSWER
from services.gateway.api.shared import Parts, Who
from services.gateway.context import Context
from services.gateway.domain.signals import in_days
from services.gateway.owners import path_of
from services.gateway.store import reference

router = APIRouter(prefix="/v1/scenarios", tags=["planning"])


@router.get("", summary="Signals, their bounds, and what they did to the open lines", responses=OWNERS_ANSWER)
async def scenarios(who: Who, parts: Parts) -> dict[str, Any]:
    """Coming, under way and lately over, at the newest business date; advisory ones move no plan. `first_on` and `last_on`
    are business days of the location a signal is about, else of UTC; `is_closing`: it shuts that location's doors."""
    said: dict[str, Any] = (await parts.owners.call("policy", "GET", "/scenarios", who.principal)).json()
    places = {one["scope"].get("location") for one in said["signals"]} - {None}
    async with parts.database.transaction(who.tenant) as tx:
        zones = await reference.time_zones(tx, who.tenant, places)
    dated = [in_days(one, zone_of(zones.get(one["scope"].get("location", "")))) for one in said["signals"]]
    return said | {"signals": dated}


@router.get(
    "/{signal_id}/lines", summary="Open lines a signal touches, with their number without it", responses=OWNERS_ANSWER
)
async def lines(signal_id: str, who: Who, parts: Parts) -> dict[str, Any]:
    """Each number is the one in the line's own evidence; those it moved most first."""
    path = path_of("scenarios", signal_id, "lines")
    said: dict[str, Any] = (await parts.owners.call("policy", "GET", path, who.principal)).json()
    return said | {"items": await _named(parts, who, said["items"])}


@router.post("/{signal_id}/without", summary="The plan as if a signal had not been told", responses=OWNERS_ANSWER)
async def without(signal_id: str, who: Who, parts: Parts) -> dict[str, Any]:
    """Planned twice by the policy service, with the signal and without it; nothing is kept."""
    path = path_of("scenarios", signal_id, "without")
    said: dict[str, Any] = (await parts.owners.call("policy", "POST", path, who.principal)).json()
    return said | {"changed": await _named(parts, who, said["changed"])}


async def _named(parts: Context, who: Who, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with the name of each product, where the catalogue has told one."""
    async with parts.database.transaction(who.tenant) as tx:
        names = await reference.names(tx, who.tenant, "item", {row["sku"] for row in rows})
    return [row | {"name": names.get(row["sku"])} for row in rows]
