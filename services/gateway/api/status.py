"""How far the system is: business dates, the last run, what waits, who is up."""

import asyncio

from fastapi import APIRouter

from services.gateway.access import Caller
from services.gateway.api import models
from services.gateway.api.shared import Parts, Who
from services.gateway.context import Context
from services.gateway.store import views
from services.gateway.store.rows import Row, day, instant

router = APIRouter(prefix="/v1", tags=["status"])


@router.get("/status", summary="How far planning is and what waits")
async def status(who: Who, parts: Parts) -> models.Status:
    """For the line that stands on every page."""
    names = list(parts.settings.owner_urls)
    up, known = await asyncio.gather(
        parts.up.get("owners", lambda: _ready(parts, names)),
        parts.status.get((who.tenant, who.reads_as), lambda: _known(parts, who), parts.broadcaster.newest(who.tenant)),
    )
    run, checkpoint = known["run"], known["checkpoint"]
    dates = [row["business_date"] for row in known["locations"] if row["business_date"] is not None]
    return models.Status(
        tenant=who.tenant,
        now=instant(parts.clock.now()) or "",
        business_date=day(max(dates, default=None)),
        locations=[
            models.LocationStatus(
                location=row["location"],
                location_name=row["location_name"],
                time_zone=row["time_zone"],
                business_date=day(row["business_date"]),
            )
            for row in known["locations"]
        ],
        last_run=None
        if run is None
        else models.RunStatus(
            run_id=run["run_id"],
            business_date=day(run["origin"]),
            finished_at=instant(run["finished_at"]) or "",
            items=run["proposed"] + run["withheld"],
            proposed=run["proposed"],
            withheld=run["withheld"],
        ),
        counts=known["counts"],
        services=[models.ServiceStatus(name=name, ready=ready) for name, ready in zip(names, up, strict=True)],
        checkpoint=None
        if checkpoint is None
        else models.CheckpointStatus(
            log_id=checkpoint["log_id"], size=checkpoint["size"], signed_at=instant(checkpoint["signed_at"]) or ""
        ),
        kafka_ready=parts.publisher.is_heard,
        read_model={"lag_records": parts.consumer.lag()},
    )


async def _ready(parts: Context, names: list[str]) -> list[bool]:
    return list(await asyncio.gather(*(parts.owners.ready(name) for name in names)))


async def _known(parts: Context, who: Caller) -> Row:
    async with parts.reading(who) as tx:
        return await views.status(tx, who.tenant)
