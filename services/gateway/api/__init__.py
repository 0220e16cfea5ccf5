"""The public API under /v1. Every route is in the table of `domain.access`, or answers nobody."""

from fastapi import Depends, FastAPI

from services.gateway.access import authorise
from services.gateway.api import (
    accuracy,
    as_of,
    audit,
    backtests,
    classes,
    closings,
    comments,
    deadletters,
    deciding,
    decision_values,
    epcis,
    events,
    items,
    matrix,
    openapi,
    order_answers,
    order_papers,
    orders,
    overrides,
    parameters,
    parked,
    people,
    performance,
    pins,
    planning,
    queue,
    reconciling,
    scenarios,
    sessions,
    settings,
    status,
    streams,
    webhooks,
)
from services.gateway.api.covered import within_coverage

ROOMS = (
    sessions,
    events,
    epcis,
    order_answers,
    deadletters,
    parked,
    queue,
    deciding,
    comments,
    matrix,
    items,
    as_of,
    order_papers,
    orders,
    reconciling,
    performance,
    decision_values,
    classes,
    planning,
    parameters,
    scenarios,
    closings,
    status,
    streams,
    audit,
    people,
    settings,
    webhooks,
    openapi,
    accuracy,
    backtests,
    overrides,
    pins,
)


def attach(app: FastAPI) -> None:
    """Add every /v1 route behind the door."""
    for room in ROOMS:
        # Each router carries its whole prefix itself: `authorise` looks routes up by the path they were declared with.
        app.include_router(room.router, dependencies=[Depends(authorise), Depends(within_coverage)])
