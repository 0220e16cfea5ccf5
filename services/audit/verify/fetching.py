"""Fetches what `--from-service` verifies: the pinned key, the checkpoints others can read, then the log itself."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass

import httpx2
import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from kit import kafka
from kit.identity import Mint, Principal
from kit.settings import ServiceSettings
from schemas.topics import CHECKPOINTS
from services.audit.domain.notes import Verifier, parse_vkey

URL = "http://127.0.0.1:8084"
# The newest published checkpoints that are compared; older ones are implied by them.
NOTES_MAX = 500
TIMEOUT_SECONDS = 60.0


class Unusable(RuntimeError):
    """The log could not be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Fetched:
    keys: tuple[Verifier, ...]
    notes: tuple[str, ...]
    lines: Iterable[bytes]


def fetch(url: str | None, tenant: str) -> Fetched:
    """Everything of the platform that runs here. The checkpoints are read first: the log fetched after them must cover
    them all. Raises Unusable."""
    settings = ServiceSettings()
    pinned = settings.data_dir / "keys" / "audit.vkey"
    keys = tuple(map(parse_vkey, pinned.read_text("utf-8").split())) if pinned.exists() else ()
    lines = download(settings, url, tenant)
    try:
        notes = asyncio.run(_published(settings, tenant))
    except (KafkaError, OSError) as error:
        raise Unusable(
            f"Kafka at {settings.kafka_bootstrap} does not answer ({error}); is the platform running?"
        ) from error
    return Fetched(keys, notes, lines)


def download(settings: ServiceSettings, url: str | None, tenant: str) -> Iterable[bytes]:
    """The lines of an export from the service that runs here; asked for when the first is taken. Raises Unusable."""
    private = settings.data_dir / "keys" / "internal.pem"
    if not private.exists():
        raise Unusable(f"{private} is not there: start the platform here, or verify an export you downloaded")
    address = f"{(url or os.environ.get('COUNTERSIGN_AUDIT_URL') or URL).rstrip('/')}/audit/export"
    return _download(address, Mint(private), tenant)


def _download(address: str, mint: Mint, tenant: str) -> Iterable[bytes]:
    token = mint.token(Principal(tenant, "verify", frozenset({"auditor"}), "machine"), "audit")
    rest = b""
    try:
        with httpx2.stream(
            "GET", address, headers={"authorization": f"Bearer {token}"}, timeout=TIMEOUT_SECONDS
        ) as answer:
            if answer.status_code != 200:
                raise Unusable(
                    f"{address} answers {answer.status_code}: {answer.read().decode(errors='replace')[:300]}"
                )
            for chunk in answer.iter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
    except httpx2.HTTPError as error:
        raise Unusable(f"{address} does not answer ({error}); is the audit service running?") from error
    yield rest


async def _published(settings: ServiceSettings, tenant: str) -> tuple[str, ...]:
    """The newest notes of the tenant's log on the checkpoints topic."""
    consumer = kafka.plain_consumer(settings, "audit-verify")
    await consumer.start()
    notes: list[str] = []
    try:
        places = [
            TopicPartition(CHECKPOINTS.on(settings.namespace), number) for number in range(CHECKPOINTS.partitions)
        ]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        for place in places:
            consumer.seek(place, max(starts[place], ends[place] - NOTES_MAX * 4))
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                bodies = [orjson.loads(record.value) for record in records if record.value]
                notes += [str(body["note"]) for body in bodies if body.get("log_id") == tenant]
    finally:
        await consumer.stop()
    return tuple(notes[-NOTES_MAX:])
