"""Starts the gateway: topics into read models, the public API and the pages, the live stream, events into Kafka."""

from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from kit import statistics
from kit.identity import KeyFile, Mint, ensure_keys
from kit.runtime import Runtime, run
from services.gateway import api, rechecking, stream, web
from services.gateway.access import Door
from services.gateway.accounts import Passwords
from services.gateway.api import same
from services.gateway.api.sessions import Tries
from services.gateway.context import Context
from services.gateway.ingest.publish import Publisher
from services.gateway.ingest.recent import Recent
from services.gateway.live import Broadcaster
from services.gateway.measuring import Measuring
from services.gateway.notices.deliver import Deliverer
from services.gateway.notices.mail import Mailer
from services.gateway.owners import Owners
from services.gateway.rechecking import Rechecking
from services.gateway.remembered import Remembered
from services.gateway.sealing import Seal
from services.gateway.settings import GatewaySettings
from services.gateway.sign_on import SignOn

FORGET_EVERY_SECONDS = 3600.0
# What stands above every page: as old as this at most, and never older than the newest event its page was told.
STATUS_SECONDS = 2.0


def build(runtime: Runtime, settings: GatewaySettings) -> FastAPI:
    """Put the parts together; what runs beside the HTTP server is registered with the runtime."""
    clock = runtime.clock
    private_key: Path = settings.internal_private_key_file or ensure_keys(settings.data_dir)[0]
    owners = Owners(settings.owner_urls, Mint(private_key, clock), settings.owner_timeout_seconds)
    publisher, broadcaster = Publisher(settings), Broadcaster(runtime.database)
    sign_on, seal = SignOn(settings, clock), Seal(KeyFile(private_key).pems, "sign-on")
    consumer = runtime.consumer()
    stream.attach(consumer)
    app = runtime.api(title="Countersign", description=web.DESCRIPTION, internal=False)
    app.state.context = Context(
        settings,
        runtime.database,
        clock,
        Door(runtime.database, settings, clock),
        Passwords(),
        publisher,
        Recent(),
        owners,
        broadcaster,
        consumer,
        Remembered(STATUS_SECONDS),
        Remembered(STATUS_SECONDS),
        Remembered(same.KEPT_SECONDS, same.KEPT_MAX),
        sign_on,
        seal,
    )
    app.state.door = app.state.context.door
    app.state.tries = Tries(settings.sign_in_tries, settings.sign_in_tries_per_address)
    api.attach(app)
    web.attach(app, settings)
    runtime.background(publisher.run(), "ingest")
    runtime.background(broadcaster.run(), "live")
    runtime.background(web.close_streams(runtime.stop, broadcaster), "streams")
    deliverer = Deliverer(
        runtime.database,
        clock,
        allowed=settings.webhook_networks,
        due_before=timedelta(minutes=settings.due_notice_minutes),
    )
    runtime.every(settings.notice_every_seconds, deliverer.run, "webhooks")
    runtime.every(settings.mail_every_seconds, Mailer(runtime.database, clock, settings).run, "mails")
    runtime.every(FORGET_EVERY_SECONDS, deliverer.forget, "forget_notices")
    runtime.every(settings.measure_every_seconds, Measuring(runtime.database, clock).run, "measuring")
    recheck = Rechecking(runtime.database, sign_on, app.state.door, seal, settings, clock)
    runtime.every(rechecking.EVERY_SECONDS, recheck.run, "sign_on")
    runtime.on_close(deliverer.close)
    runtime.every(statistics.EVERY_SECONDS, statistics.Statistics(runtime.database).run, "statistics")
    runtime.check("ingest", publisher.ready)
    runtime.on_close(owners.close)
    runtime.on_close(sign_on.close)
    return app


async def main() -> None:
    """Build everything, then run until told to stop."""
    settings = GatewaySettings()
    async with Runtime.start("gateway", settings) as runtime:
        build(runtime, settings)
        await runtime.serve()


if __name__ == "__main__":
    run(main)
