"""Days on which a location keeps its doors shut, told by a person who knows: a signal that promises it no demand at all."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, model_validator

from kernel.ids import derived_id
from kit.clock import zone_of
from schemas.base import Day, Text
from services.gateway.api import models
from services.gateway.api.planning import Id
from services.gateway.api.shared import Parts, Who, not_found
from services.gateway.api.telling import send, told_by
from services.gateway.domain.signals import moments_of
from services.gateway.store import reference
from services.gateway.store.rows import instant

router = APIRouter(prefix="/v1", tags=["planning"])
# Fitting out takes months; a place that stays shut for longer is given up, which the catalogue says.
DAYS_MAX = 366
# Of the kinds a signal can have the one that is about days and not about prices or supply; policy bounds it from above only.
KIND = "holiday_peak"


class Closing(BaseModel):
    """The location's doors are shut from the first to the last of these days, both included. `active` false takes it back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"location": "367", "first_on": "2017-12-24", "last_on": "2017-12-26", "note": "The boiler is replaced"}
            ]
        },
    )
    location: Id
    first_on: Day
    last_on: Day
    note: Text | None = None
    active: bool = True

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 <= (self.last_on - self.first_on).days < DAYS_MAX:
            raise ValueError(f"last_on is not before first_on, and at most {DAYS_MAX - 1} days after it")
        return self


@router.post("/closings", status_code=201, summary="Say on which days a location keeps its doors shut")
async def tell(body: Closing, who: Who, parts: Parts) -> models.ClosingView:
    """Published as a signal (strength 0, probability 1) that the forecaster reads: demand of those days is zero in every
    forecast from the evening it is told on, and once they have passed without a sale they are kept out of training. Told
    again with the same first day it replaces what was said; whoever told it is in the signal and in the log."""
    async with parts.database.transaction(who.tenant) as tx:
        zone = (await reference.time_zones(tx, who.tenant, {body.location})).get(body.location)
    if zone is None:
        raise not_found("location", body.location)
    starts_at, ends_at = moments_of(body.first_on, body.last_on, zone_of(zone))
    signal_id = f"closing-{body.first_on}-{derived_id('closing', who.tenant, body.location)[:8]}"
    data = {
        "signal_id": signal_id,
        "kind": KIND,
        "scope": {"location": body.location},
        "strength": 0,
        "probability": "1" if body.active else "0",
        "starts_at": instant(starts_at),
        "ends_at": instant(ends_at),
        "advisory": False,
        "details": {"told_by": who.principal.subject, "note": body.note},
    }
    await send(parts, who, told_by(who, "signal.observed.v1", data, parts.clock.now()))
    return models.ClosingView(signal_id=signal_id, **body.model_dump(mode="json", exclude={"note"}))
