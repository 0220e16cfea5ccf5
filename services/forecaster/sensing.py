"""Live demand sensing with Faust, in a process of its own: `python -m services.forecaster.sensing`.

Reads sales, tells `signals` what looks unusual. Delivery is at least once and state lives in memory only; ids follow
from item, day and step, so a repeat is dropped by every reader. Windows are kept in `domain.sensing` and not in a Faust
table, because a windowed table writes every sale to a changelog topic again (about 570 events/s where measured) for
state we are glad to lose. Nothing that touches stock, money or approvals depends on this process.
"""

import asyncio
import json
import os
import ssl
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import faust
import orjson
from faust.types import StreamT
from faust.types.auth import CredentialsT

from kernel.ids import derived_id
from kit import memory
from kit.database import Database
from kit.errors import TRANSIENT
from kit.events import Outgoing, headers_of, outgoing
from schemas.demand import BusinessDayClosed, SaleRecorded
from schemas.signals import Scope, SignalObserved
from schemas.topics import SALES, SIGNALS
from services.forecaster.domain.sensing import Sensor, Sighting
from services.forecaster.settings import Settings
from services.forecaster.store.usual import usual_demand

SERVICE = "forecaster"
NICE = 10  # sensing never starves the services that keep the books
LEARN_SECONDS = 120.0
REPORT_SECONDS = 1.0


def credentials(settings: Settings) -> CredentialsT | None:
    """How to sign in at the brokers, as `kit.kafka.connection` does for every other client; None: no need to."""
    protocol = settings.kafka_security_protocol
    context = None
    if protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=str(settings.kafka_ca_file) if settings.kafka_ca_file else None)
    if protocol.startswith("SASL"):
        password = settings.kafka_password.get_secret_value() if settings.kafka_password else ""
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=password,
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return faust.SSLCredentials(context=context) if context is not None else None


def build(settings: Settings) -> faust.App:
    """The Faust app. Settings are those that worked in docs/forecasting.md, "Sensing"."""
    folder = settings.data_dir / "sensing"
    folder.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        f"{settings.namespace}-forecaster-sensing",
        broker=";".join(f"kafka://{one.strip()}" for one in settings.kafka_bootstrap.split(",")),
        broker_credentials=credentials(settings),
        datadir=str(folder),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_session_timeout=10,
        broker_heartbeat_interval=2,
        broker_commit_interval=2.0,
        producer_linger=0.02,
        producer_max_batch_size=262_144,
        producer_request_timeout=30.0,
        # Where no offset was committed yet (killed within its first seconds), nothing is skipped: what is of a closed
        # day is dropped by the sensor, and a backlog that is too long to be live by `report`.
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        key_serializer="raw",
        value_serializer="raw",
    )
    Sensing(app, settings)
    return app


# What an event raises that cannot be understood.
UNREADABLE = (ValueError, KeyError, TypeError, ArithmeticError)


class Sensing:
    """The agent, its sensor, and the two clocks beside it: learning what is usual, and telling the parent it lives."""

    def __init__(self, app: faust.App, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._sensor = Sensor()
        self._handled = 0
        self._skip_before: dict[int, int] = {}
        self._learned = asyncio.Event()
        self._signals = app.topic(SIGNALS.on(settings.namespace), key_type=bytes, value_type=bytes)
        sales = app.topic(SALES.on(settings.namespace), key_type=bytes, value_type=bytes)
        app.agent(sales, name="sales")(self.read)
        app.task(self.learn)
        app.timer(REPORT_SECONDS)(self.report)

    async def read(self, stream: StreamT[bytes]) -> None:
        """Every event of the sales topic. No exception may leave this loop: Faust would drop the event and go on."""
        await self._learned.wait()  # a sale read before anything is known to be usual could never be told
        async for event in stream.events():
            self._handled += 1
            message = event.message
            if message.offset < self._skip_before.get(message.partition, 0):
                continue
            try:
                said = {name: raw for name, raw in dict(message.headers or {}).items() if raw is not None}
                for sighting in self.sense(said, message.value):
                    await self.tell(sighting)
            except UNREADABLE:
                continue  # unreadable here is unreadable for the consumer that keeps the books, and it says so

    def sense(self, headers: dict[str, bytes], value: bytes) -> list[Sighting]:
        """Sightings of one event; none for the kinds that do not concern demand today."""
        kind = headers.get("ce_type", b"").decode()
        if kind == SaleRecorded.TYPE:
            body = orjson.loads(value)
            item = (body["tenant"], body["sku"], body["location"])
            day, units = date.fromisoformat(body["business_date"]), float(Decimal(str(body["quantity"])))
            return self._sensor.sold(item, day, units, headers["ce_id"].decode())
        if kind == BusinessDayClosed.TYPE:
            body = orjson.loads(value)
            if not isinstance(body, dict):
                raise TypeError("an event's data is an object")
            if body.get("partition") in (None, 0):  # one close is written to every partition; one is enough here
                return self._sensor.closed(body["tenant"], body["location"], date.fromisoformat(body["business_date"]))
        return []

    async def tell(self, sighting: Sighting) -> None:
        sent = event_of(sighting)
        headers = dict(headers_of(sent))
        await self._signals.send(key=sent.envelope.key.encode(), value=sent.value, headers=headers)

    async def learn(self) -> None:
        """Read what is usual from daily demand, again and again: item means move slowly."""
        while True:
            try:
                database = await Database.open(self._settings.database_url.get_secret_value(), SERVICE, pool_max=1)
                try:
                    self._sensor.learn(await usual_demand(database))
                    self._learned.set()
                finally:
                    await database.close()
            except TRANSIENT:
                await asyncio.sleep(REPORT_SECONDS)
                continue
            await asyncio.sleep(LEARN_SECONDS)

    async def report(self) -> None:
        """Tell the parent how far we are; jump to the newest sales when the backlog has grown too long to be live."""
        lag = 0
        consumer = self._app.consumer
        for place in self._app.assignor.assigned_actives() if consumer is not None else ():
            # Where the reader stands: a transaction's marker uses up an offset without ever being an event.
            newest, reached = consumer.highwater(place), await consumer.position(place)
            if newest is None or reached is None:
                continue  # not known yet is not far behind: right after a start that would skip what came meanwhile
            lag += max(0, newest - max(reached, self._skip_before.get(place.partition, 0)))
            if newest - reached > self._settings.sensing_lag_records_max:
                self._skip_before[place.partition] = newest
                await consumer.seek(place, newest)
        # Not print(): the worker may route that through its logger.
        assert sys.__stdout__ is not None
        sys.__stdout__.write(json.dumps({"handled": self._handled, "lag": lag}) + "\n")
        sys.__stdout__.flush()


def event_of(sighting: Sighting) -> Outgoing:
    """A sighting as it is published. What it says is part of the event's id: the windows live in memory, so after a
    restart the same step of a spike may be seen at another sale. That is a newer word about the same signal, where the
    same id with another content would be a contradiction, and a dead letter at each of its readers."""
    message = signal_of(sighting)
    value = message.wire()
    return outgoing(
        message, service=SERVICE, cause=message.signal_id, time=message.starts_at, name=value.decode(), value=value
    )


def signal_of(sighting: Sighting) -> SignalObserved:
    """The message of a sighting: valid from its business day for two days, advisory."""
    start = datetime(sighting.day.year, sighting.day.month, sighting.day.day, tzinfo=UTC)
    parts = (
        sighting.kind,
        sighting.tenant,
        sighting.sku or "",
        sighting.location,
        sighting.day.isoformat(),
        str(sighting.step),
    )
    return SignalObserved(
        tenant=sighting.tenant,
        signal_id=derived_id(SERVICE, "sensing", *parts),
        kind=sighting.kind,
        scope=Scope(sku=sighting.sku, location=sighting.location),
        strength=sighting.strength,
        probability=Decimal(str(sighting.probability)),
        starts_at=start,
        ends_at=start + timedelta(days=2),
        advisory=True,
        details=dict(sighting.details),
    )


def main() -> None:
    os.nice(NICE)
    memory.give_large_blocks_back()
    worker = faust.Worker(
        build(Settings()), loglevel="warn", quiet=True, console_port=0, debug=False, redirect_stdouts=False
    )
    worker.execute_from_commandline()


if __name__ == "__main__":
    sys.argv = [sys.argv[0]]
    main()


__all__ = ["Sensing", "build", "event_of", "signal_of"]
