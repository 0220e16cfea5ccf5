"""Every fault of the matrix once, on the real processes; then bugs planted in the real tables and topics, which must be found.

The checker reads Kafka, Postgres and the clients' history, and no service's code. `./run chaos --seeds 20 --minutes 3` is the
long form of the first test.
"""

import asyncio
import os

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from lab.chaos.checks import INVARIANTS
from lab.chaos.collect import read_topic
from lab.chaos.episode import Episode, play
from lab.chaos.faults import FAULTS
from lab.chaos.history import read
from lab.chaos.stand import Stand

pytestmark = [
    *(pytest.mark.scenario, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)),
    # A client whose broker is killed in the middle of a word is not closed properly; that is the point of killing it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SEED = 20261121
# Invariant -> what the bug that `plant` plants against it has to be called.
PLANTED = {
    "L": "lost",
    "S": "wrong",
    "E": "doubled",
    "M": "gap or double",
    "A": "gap",
    "O": "behind",
    "T": "foreign",
    "H": "dead letter",
    "D": "lost",
}
# What the machine may lack, and then says: a small disk of its own (root), strace, libfaketime.
MAY_BE_SKIPPED = {"disk-full-postgres", "disk-full-kafka", "syscall", "fsync-fails", "clock-jumps"}


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Episode:
    """One run with all faults, and what was found after bugs were planted."""
    folder = tmp_path_factory.mktemp("chaos") / "stand"
    return play(folder, SEED, minutes=None, faults=[*FAULTS, "replay"], say=print, tamper=plant)


def test_every_promise_holds_through_every_fault(episode: Episode) -> None:
    assert episode.violations == []


def test_every_fault_was_injected_or_says_why_not(episode: Episode) -> None:
    injected = {name for name, _ in episode.injections}
    assert injected | set(episode.skipped) == set(FAULTS)
    assert set(episode.skipped) <= MAY_BE_SKIPPED


def test_there_was_something_to_check(episode: Episode) -> None:
    assert episode.kills >= 10
    assert episode.facts["events"] > 1000
    assert min(episode.facts[name] for name in ("decisions", "orders", "checkpoints", "dead_letters")) > 0


@pytest.mark.parametrize(("letter", "kind"), PLANTED.items())
def test_a_bug_planted_in_the_running_system_is_found(episode: Episode, letter: str, kind: str) -> None:
    assert (letter, kind) in {(found.invariant, found.kind) for found in episode.planted}, INVARIANTS[letter][0]


def test_every_invariant_has_a_planted_bug() -> None:
    assert set(PLANTED) == set(INVARIANTS)


def plant(stand: Stand) -> None:
    """As somebody with every right would: change tables, write to topics, cut a topic's beginning off."""
    # L, S: an event is dropped from the ledger, another's effect is applied twice.
    stand.query(
        "delete from policy.ledger where event_hash = (select event_hash from policy.ledger order by occurred_at desc limit 1)"
    )
    stand.query("update policy.positions set on_hand = on_hand - 1 where sku = 'acme-s1' and location = 'acme-l0'")
    # A: a sequence number goes missing.
    stand.query("alter table audit.entries disable trigger only_grows")
    stand.query("delete from audit.entries where tenant = 'acme' and seq = 3")
    # O: a reader stays behind.
    stand.query("update gateway.lines set version = version + 1 where ctid = (select ctid from gateway.lines limit 1)")
    # T: one tenant's row under another's name.
    stand.query("update policy.positions set tenant = 'acme' where sku = 'bolt-s0' and location = 'bolt-l0'")
    asyncio.run(_plant_on_topics(stand))


async def _plant_on_topics(stand: Stand) -> None:
    orders = await read_topic(stand.kafka_bootstrap, f"{stand.namespace}.orders.v1", "orders.v1")
    decisions = await read_topic(stand.kafka_bootstrap, f"{stand.namespace}.decisions.v1", "decisions.v1")
    sales = await read_topic(stand.kafka_bootstrap, f"{stand.namespace}.sales.v1", "sales.v1")
    producer = AIOKafkaProducer(bootstrap_servers=stand.kafka_bootstrap)
    await producer.start()
    try:
        # E: an order is published again under another id; M: a version is skipped; H: a good event is buried.
        order = next(one for one in orders if one.header("ce_type") == "order.released.v1")
        again = orjson.dumps(order.body() | {"order_id": "po-planted"})
        decided = next(one for one in decisions if one.header("ce_type") == "decision.made.v1")
        skipped = orjson.dumps(decided.body() | {"version": 999, "decision_id": "planted"})
        for topic, rec, value in (
            ("orders.v1", order, again),
            ("decisions.v1", decided, skipped),
            ("sales.v1.dead", sales[0], sales[0].value),
        ):
            headers = [(name, os.urandom(8).hex().encode() if name == "ce_id" else raw) for name, raw in rec.headers]
            await producer.send_and_wait(f"{stand.namespace}.{topic}", value, key=rec.key, headers=headers)
    finally:
        await producer.stop()
    # D: the oldest sale that was acknowledged over HTTP is cut off, with what lies before it in its partition.
    acknowledged = {
        tuple(pair)
        for op in read(stand.data_dir / "history.jsonl")
        if (op.f, op.type) == ("record", "ok")
        for pair in op.value
    }
    first = next(one for one in sales if one.id in acknowledged)
    admin = AIOKafkaAdminClient(bootstrap_servers=stand.kafka_bootstrap)
    await admin.start()
    try:
        place = TopicPartition(f"{stand.namespace}.sales.v1", first.partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=first.offset + 1)})
    finally:
        await admin.close()
