"""How fast the log is, on whatever machine this runs on; figures are printed, the bounds are far below them."""

import json
import time

import pytest
from aiokafka import ConsumerRecord

from kit.clock import SystemClock
from kit.database import Database
from schemas.topics import SALES
from services.audit import stream
from services.audit.exporting import Extent, export
from services.audit.guard import Guard
from services.audit.keys import LogKeys
from services.audit.signing import Signing
from services.audit.store import growing
from services.audit.verify.verification import Trust, Verification
from tests.ground import FreshDatabase, Ground
from tests.unit.audit.story import SEED, Event, candidate, recommendation

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
ENTRIES = 20_000


def events(count: int) -> list[Event]:
    body = recommendation("a").body
    return [
        Event(f"e-{number}", body.model_copy(update={"recommendation_id": f"rec-{number}"})) for number in range(count)
    ]


async def test_appending_signing_and_verifying(
    platform: Ground, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Batches of 100, 500 and 2,000 through the whole append; a checkpoint; the verifier over the export."""
    store = await Database.open(database.url("audit"), "audit")
    figures: dict[str, float] = {}
    at = 0
    candidates = [candidate(event, number) for number, event in enumerate(events(ENTRIES))]
    for batch, count in ((100, 4_000), (500, 6_000), (2_000, 10_000)):
        started, used, end = time.perf_counter(), time.process_time(), at + count
        while at < end:
            async with store.transaction("acme") as tx:
                await growing.append_candidates(tx, "acme", candidates[at : at + batch])
            at += batch
        figures[f"append_per_second_batch_{batch}"] = round(count / (time.perf_counter() - started))
        figures[f"append_per_cpu_second_batch_{batch}"] = round(count / (time.process_time() - used))
    keys = LogKeys("test", SEED)
    started = time.perf_counter()
    made = await Signing(store, keys, Guard(), SystemClock()).sign_all()
    figures["sign_seconds"] = round(time.perf_counter() - started, 4)
    assert made[0][1].size == ENTRIES
    verification = Verification(Trust(keys=(*keys.verifiers("acme"),)))
    pages = [page async for page in export(store, keys, "acme", Extent(ENTRIES, ENTRIES), None)]
    lines = b"".join(pages).split(b"\n")
    started, used = time.perf_counter(), time.process_time()
    for line in lines:
        verification.feed(line)
    findings = verification.finish()
    assert findings.ok, findings.problem
    figures["verify_per_second"] = round(ENTRIES / (time.perf_counter() - started))
    figures["verify_per_cpu_second"] = round(ENTRIES / (time.process_time() - used))
    await store.close()
    with capsys.disabled():
        print(json.dumps(figures))
    assert figures["append_per_second_batch_2000"] > 500 and figures["verify_per_second"] > 2_000


async def test_batches_of_sales_cost_next_to_nothing(
    platform: Ground, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """100,000 sale records of four partitions in batches of 2,000: what they take of one core and of the wall clock."""
    store = await Database.open(database.url("audit"), "audit")
    value, headers = (
        b"x" * 281,
        tuple((f"ce_{name}", b"v" * 20) for name in ("id", "source", "type", "time", "specversion"))
        + (("ce_tenant", b"acme"),),
    )
    name = SALES.on("bench")
    records = [
        ConsumerRecord(name, n % 4, n // 4, 1_500_000_000_000, 0, b"acme/s1/L1", value, None, 10, 281, headers)
        for n in range(100_000)
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(records), 2_000):
        async with store.transaction() as tx:
            await stream.record_batches(tx, records[at : at + 2_000], "bench")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await store.close()
    figures = {"records_per_second": round(len(records) / wall), "records_per_cpu_second": round(len(records) / cpu)}
    with capsys.disabled():
        print(json.dumps(figures))
    assert figures["records_per_cpu_second"] > 20_000
