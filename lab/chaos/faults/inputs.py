"""Faults of the input: repeated, reused, shuffled, late, unreadable, oversized, hot, and never committed."""

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from countersign_client import ApiProblem, Client, Event, Unreachable
from lab.chaos.clients import ONCE, Carrier
from lab.chaos.faults.scene import Fault, Scene
from lab.chaos.world import Shop
from lab.world.story import Event as Told
from lab.world.wire import Record, records
from schemas.topics import SALES

HANG_SECONDS = (2.0, 5.0)


def duplicates(scene: Scene) -> None:
    """Every event two to five times, straight into Kafka and over HTTP: same id, same bytes."""
    shop, told = _till(scene, 20)
    for _ in range(scene.rng.randint(2, 4)):
        _deliver(scene, told)
    with _client(scene, shop) as client:
        scene.crowd.record(client, "repeater", told)
    scene.counts["duplicates"] += len(told)


def reused_ids(scene: Scene) -> None:
    """An id that was used before, with another content: an alarm and a dead letter, never an effect."""
    _, told = _till(scene, 6)
    sold = [one for one in told if one.type == "sale.recorded.v1"]
    _deliver(scene, sold)
    forged = [replace(one, data={**one.data, "quantity": str(90 + number)}) for number, one in enumerate(sold)]
    _spoil(scene, [record for one in forged for record in records(one)])
    scene.counts["reused ids"] += len(forged)


def out_of_order(scene: Scene) -> None:
    """A window of 100 events in any order: voids before their sales, shipments before receipts."""
    shop, told = _till(scene, 60)
    with scene.crowd.locks[shop.tenant]:
        told += [one for one in shop.warehouse(40) if one.type == "stock.moved.v1"]
    scene.rng.shuffle(told)
    _deliver(scene, told)
    scene.counts["shuffled"] += len(told)


def late(scene: Scene) -> None:
    """Sales of business days that were closed one to thirty days ago."""
    shop = scene.rng.choice(scene.crowd.shops)
    with scene.crowd.locks[shop.tenant]:
        told = []
        for _ in range(12):
            sku, location = scene.rng.choice(shop.items)
            told.append(shop.sale(sku, location, 1, day=shop.day - timedelta(days=scene.rng.randint(1, 30))))
    _deliver(scene, told)
    scene.counts["late"] += len(told)


def poison(scene: Scene) -> None:
    """Bytes that are no event: not UTF-8, cut off, nested beyond reason, not a number, no headers at all, one without a value."""
    _, told = _till(scene, 1)
    (fit, *_) = records(told[0])
    mark = told[0].id.encode()
    bodies = (
        b"\xff\xfe" + mark,
        fit.value[:-9],
        b"[" * 20_000 + mark,
        b"null",
        b'{"quantity": NaN, "mark": "' + mark + b'"}',
    )
    bad = [replace(fit, value=body) for body in bodies]
    bad.append(replace(fit, value=fit.value + b" ", headers=[]))
    nameless: list[Any] = [(name, None if name == "ce_id" else raw) for name, raw in fit.headers]
    bad.append(replace(fit, value=fit.value + b"  ", headers=nameless))
    _spoil(scene, bad)
    scene.counts["poison"] += len(bad)


def schema_violations(scene: Scene) -> None:
    """JSON that breaks the contract: missing, mistyped, of an unknown version, of another tenant, under another key."""
    shop, told = _till(scene, 1)
    (fit, *_) = records(told[0])
    other = next(one for one in scene.crowd.shops if one.tenant != shop.tenant)
    body = orjson.loads(fit.value)
    bad = [
        replace(fit, value=orjson.dumps({name: value for name, value in body.items() if name != "quantity"})),
        replace(fit, value=orjson.dumps(body | {"quantity": "-3"})),
        replace(fit, value=orjson.dumps(body | {"sold_at": "yesterday"})),
        replace(fit, value=orjson.dumps(body | {"tenant": other.tenant})),
        replace(fit, value=orjson.dumps(body | {"mark": 1}), key=f"{shop.tenant}/nobody/nowhere".encode()),
        replace(
            fit,
            value=orjson.dumps(body | {"mark": 2}),
            headers=[(name, b"sale.recorded.v9" if name == "ce_type" else raw) for name, raw in fit.headers],
        ),
    ]
    _spoil(scene, bad)
    scene.counts["schema violations"] += len(bad)


def huge(scene: Scene) -> None:
    """6 MB over HTTP is refused at the edge; 900 kB in one record becomes a dead letter; more, Kafka itself refuses."""
    shop, told = _till(scene, 1)
    (fit, *_) = records(told[0])
    _spoil(scene, [replace(fit, value=fit.value[:-1] + b',"unit":"' + b"x" * 900_000 + b'"}')])
    big = Event(told[0].id, told[0].source, told[0].type, told[0].time, {**told[0].data, "note": "x" * 6_000_000})
    with _client(scene, shop) as client:
        try:
            client.send([big])
            scene.counts["huge accepted"] += 1
        except ApiProblem as problem:
            scene.counts[f"huge refused {problem.status}"] += 1
        except (Unreachable, httpx2.HTTPError):
            scene.counts["huge cut"] += 1


def hot_key(scene: Scene) -> None:
    """90 % of a rush on one item."""
    pace = scene.crowd.pace
    before = (pace.till_events, pace.till_seconds)
    pace.hot, pace.till_events, pace.till_seconds = True, 80, 0.1
    try:
        scene.wait(4.0, 7.0)
    finally:
        pace.hot = False
        pace.till_events, pace.till_seconds = before


def hanging_transaction(scene: Scene) -> None:
    """A till's transaction that is left open and then aborted: readers wait, and what was aborted never happened."""
    _, told = _till(scene, 8)
    stalled = asyncio.run(_hang(scene, [record for one in told for record in records(one)]))
    scene.figures["stall seconds"] = max(scene.figures.get("stall seconds", 0.0), stalled)
    scene.counts["aborted records"] += len(told)


async def _hang(scene: Scene, aborted: Sequence[Record]) -> float:
    producer = AIOKafkaProducer(
        bootstrap_servers=scene.stand.kafka_bootstrap,
        transactional_id=f"chaos-till-{scene.rng.randrange(10**9)}",
        transaction_timeout_ms=20_000,
    )
    started = time.monotonic()
    try:
        await producer.start()
        await producer.begin_transaction()
        for one in aborted:
            await producer.send_and_wait(SALES.on(scene.stand.namespace), one.value, key=one.key, headers=one.headers)
        await asyncio.sleep(scene.rng.uniform(*HANG_SECONDS))
        await producer.abort_transaction()
    except KafkaError:
        scene.counts["transactions left to the broker"] += 1  # it aborts them after their timeout
    finally:
        await producer.stop()
    return round(time.monotonic() - started, 1)


def _till(scene: Scene, size: int) -> tuple[Shop, list[Told]]:
    shop = scene.rng.choice(scene.crowd.shops)
    with scene.crowd.locks[shop.tenant]:
        return shop, shop.till(size)


def _client(scene: Scene, shop: Shop) -> Client:
    return Client(scene.stand.gateway_url, api_key=scene.crowd.accesses[shop.tenant].api_key, retry=ONCE)


def _deliver(scene: Scene, told: Sequence[Told]) -> None:
    async def work() -> None:
        carrier = _carrier(scene)
        await carrier.deliver("tester", told)
        await carrier.close()

    asyncio.run(work())


def _spoil(scene: Scene, bad: Sequence[Record]) -> None:
    """Write records that must become dead letters; the history remembers topic and value of each."""
    value = [[one.topic.name, base64.b64encode(one.value).decode()] for one in bad]

    async def work() -> None:
        carrier = _carrier(scene)
        await carrier.write("tester", bad, value, f="poison")
        await carrier.close()

    asyncio.run(work())


def _carrier(scene: Scene) -> Carrier:
    return Carrier(scene.stand.kafka_bootstrap, scene.stand.namespace, scene.crowd.history, scene.crowd.over)


FAULTS = (
    Fault("duplicates", 22, "every event again and again", duplicates),
    Fault("reused-ids", 22, "ids used again for another content", reused_ids),
    Fault("out-of-order", 23, "a window of 100 shuffled", out_of_order),
    Fault("late", 24, "sales of closed days", late),
    Fault("poison", 25, "bytes that are no event", poison),
    Fault("schema-violations", 26, "events that break the contract", schema_violations),
    Fault("huge", 27, "events too large", huge),
    Fault("hot-key", 28, "90 % of a rush on one item", hot_key),
    Fault("hanging-transaction", 30, "a transaction left open, then aborted", hanging_transaction),
)
