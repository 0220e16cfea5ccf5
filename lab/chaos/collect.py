"""Evidence, brought together: every committed record of every topic, the rows that matter, and what still waits."""

import asyncio
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.platform.databases import SERVICES
from lab.chaos.evidence import Evidence, Rec, Row
from lab.chaos.history import read
from lab.chaos.stand import Stand
from schemas import topics as catalogue

# What the checkers need of the big tables; of every other table with a tenant, they see the codes of each row.
COLUMNS = {
    "policy.ledger": "tenant, sku, location, event_hash, on_hand, reserved, backorders",
    "policy.positions": "tenant, sku, location, on_hand, reserved, backorders",
    "forecaster.daily_demand": "tenant, sku, location, business_date, quantity",
    "approvals.decisions": "tenant, decision_id, line_id, version",
    "approvals.lines": "tenant, line_id, version, location, state",
    "gateway.lines": "tenant, line_id, version, sku, location",
    "audit.entries": "tenant, seq, event_hash, entry, leaf",
    "audit.checkpoints": "tenant, size, note",
}


async def collect(stand: Stand, tenants: list[str], recoveries: list[tuple[str, float]]) -> Evidence:
    """Everything, as it is now. The system should be still; what is not done yet is counted in `waiting`."""
    found = Evidence(history=read(stand.data_dir / "history.jsonl"), tenants=tenants, recoveries=recoveries)
    names = [topic.name for topic in catalogue.ALL] + [f"{topic.name}.dead" for topic in catalogue.ALL]
    for name in names:
        found.records[name] = await read_topic(stand.kafka_bootstrap, f"{stand.namespace}.{name}", name)
    connection = await asyncpg.connect(stand.database.url)
    try:
        for table, columns in COLUMNS.items():
            found.tables[table] = await _rows(connection, f"select {columns} from {table}")
        for table, columns in (await _coded(connection)).items():
            if table not in COLUMNS:
                found.tables[table] = await _rows(connection, f"select distinct {columns} from {table}")
        for service in SERVICES:
            waits = f"select count(*) from {service}.outbox where published_at is null"
            found.waiting[f"unpublished messages of {service}"] = await connection.fetchval(waits)
            parked = f"select count(*) from {service}.parked_events"
            found.waiting[f"parked events of {service}"] = await connection.fetchval(parked)
    finally:
        await connection.close()
    for service in SERVICES:
        _, facts = stand.service(service).readiness()
        lag = facts.get("checks", {}).get("consumer", {"lag": 0}).get("lag")
        found.waiting[f"lag of {service}"] = -1 if lag is None else int(lag)
    seed = bytes.fromhex((stand.data_dir / "keys" / "audit.key").read_text("ascii").strip())
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    found.public_keys = dict.fromkeys([*tenants, "~platform"], public)
    return found


async def _rows(connection: Any, query: str) -> list[Row]:
    return [dict(row) for row in await connection.fetch(query)]


async def _coded(connection: Any) -> dict[str, str]:
    """Every table of a service that has a tenant and one of the codes -> those columns."""
    rows = await connection.fetch(
        "select table_schema || '.' || table_name as name, array_agg(column_name::text order by column_name) as columns"
        " from information_schema.columns join information_schema.tables using (table_schema, table_name)"
        " where table_schema = any($1) and column_name in ('tenant', 'sku', 'location', 'supplier')"
        " and table_type = 'BASE TABLE' group by 1 having count(*) > 1 and bool_or(column_name = 'tenant')",
        list(SERVICES),
    )
    return {row["name"]: ", ".join(row["columns"]) for row in rows}


async def read_topic(bootstrap: str, topic: str, name: str) -> list[Rec]:
    """Every committed record of a topic, in order of partition and offset."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.unsubscribe()
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        found = []
        waiting = {place for place, end in ends.items() if end > 0}
        while waiting:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += [
                    Rec(name, one.partition, one.offset, one.key, one.value, tuple(one.headers), one.timestamp)
                    for one in batch
                ]
            for place in list(waiting):
                if await consumer.position(place) >= ends[place]:
                    waiting.discard(place)
        return sorted(found, key=lambda one: (one.partition, one.offset))
    finally:
        await consumer.stop()


def evidence_of(stand: Stand, tenants: list[str], recoveries: list[tuple[str, float]]) -> Evidence:
    """`collect` for callers without an event loop."""
    return asyncio.run(collect(stand, tenants, recoveries))
