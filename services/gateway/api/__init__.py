"""The public API under /v1. Every route is in the table of `domain.access`, or answers nobody."""

from fastapi import APIRouter, Depends, FastAPI

from services.gateway.access import authorise
from services.gateway.api import (
    audit,
    deciding,
    events,
    items,
    openapi,
    orders,
    planning,
    queue,
    sessions,
    settings,
    status,
    streams,
)


def attach(app: FastAPI) -> None:
    """Add every /v1 route behind the door."""
    v1 = APIRouter(prefix="/v1", dependencies=[Depends(authorise)])
    for room in (sessions, events, queue, deciding, items, orders, planning, status, streams, audit, settings, openapi):
        v1.include_router(room.router)
    app.include_router(v1)
