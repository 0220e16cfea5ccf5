"""Two versions of a service in one group: each reads what the other's writers write, and everything counts once."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Sequence
from decimal import Decimal

import pytest

from kit.events import Envelope, Outgoing, headers_of
from schemas.topics import SALES
from tests.integration.events.both import NOON, PATIENCE_SECONDS, Both, item, place, sale

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
SKUS = [f"S{number}" for number in range(40)]  # over all partitions


async def sell(side: Both, skus: Sequence[str]) -> None:
    """One sale by a writer of today and one by a writer of tomorrow, of each product."""
    for sku in skus:
        body = sale(sku).model_copy(update={"tenant": side.tenant})
        document = json.loads(body.model_dump_json(exclude_none=True))
        for written in (document, document | {"loyalty_tier": "gold"}):
            envelope = Envelope(str(uuid.uuid4()), "pos/1", body.TYPE, NOON, body.tenant, body.record_key())
            out = Outgoing(SALES.name, envelope, json.dumps(written).encode())
            await side.send_raw(out.topic, envelope.key.encode(), out.value, headers_of(out))


async def booked(side: Both, sales: int) -> None:
    """Wait until the ledger holds so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await side.rows("policy", "select count(*) as n from ledger"))[0]["n"] < sales:
            await asyncio.sleep(0.1)


async def start_next(side: Both) -> asyncio.subprocess.Process:
    settings = side.settings["policy"]
    environment = os.environ | {
        "COUNTERSIGN_NAMESPACE": side.namespace,
        "COUNTERSIGN_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "COUNTERSIGN_DATABASE_URL": settings.database_url.get_secret_value(),
        "COUNTERSIGN_CONSUMER_SESSION_MILLISECONDS": "6000",
    }
    command = (sys.executable, "-m", "tests.integration.events.next_version")
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)


async def shared(side: Both) -> None:
    """Wait until the two versions share the partitions."""
    mine = side.consumers["policy"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not mine.assigned or len([one for one in mine._positions if one.topic.endswith(SALES.name)]) in (0, 4):
            await asyncio.sleep(0.1)


async def test_old_and_new_share_the_work_of_a_rolling_upgrade_and_of_its_way_back(side: Both) -> None:
    await side.define(place("L1"), *(item(sku) for sku in SKUS))
    upgraded = await start_next(side)
    try:
        await shared(side)
        await sell(side, SKUS)
        await booked(side, 80)
        await side.halt("policy")  # the last of the old version goes
        await sell(side, SKUS)
        await booked(side, 160)
        side.start("policy")  # and comes back: the upgrade is taken back
        await shared(side)
        await sell(side, SKUS)
        await booked(side, 240)
    finally:
        upgraded.terminate()
        said, _ = await upgraded.communicate()
    seen = json.loads(said.splitlines()[-1])  # before it, its log
    assert seen["with"] == seen["without"] > 40, "the new version has read both, and more than the middle part"
    assert seen["with"] + seen["without"] < 240, "and the old version its share"
    await sell(side, SKUS)
    await side.settled()
    assert [await side.position(sku) for sku in SKUS] == [(Decimal(-8), 0, 0)] * len(SKUS)
    assert [await side.demand(sku) for sku in SKUS] == [8] * len(SKUS), "the other service never noticed"
    for service in ("forecaster", "policy"):
        assert await side.said(service, "sales.v1.dead") == []
