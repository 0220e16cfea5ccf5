"""Approvals over HTTP, for the gateway: the queue, decisions on it, and orders. Who asks comes from the internal token alone."""

from fastapi import FastAPI

from kit.clock import Clock
from kit.database import Database
from kit.relay import Relay
from services.approvals.api import as_of, comments, deciding, matrix, reading
from services.approvals.settings import Settings


def attach(app: FastAPI, *, database: Database, relay: Relay, settings: Settings, clock: Clock) -> None:
    """Add every route of this service to its app."""
    app.include_router(deciding.router(database, relay, settings, clock))
    app.include_router(comments.router(database, relay, clock))
    app.include_router(as_of.router(database))
    app.include_router(reading.queue_router(database))
    app.include_router(reading.orders_router(database))
    app.include_router(matrix.router(database, relay, settings, clock))
