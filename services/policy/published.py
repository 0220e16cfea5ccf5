"""Finding recommendations as they were published: on their topic, in event files, audit exports and results of `./run plan`."""

import base64
import errno
import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from kit.settings import ServiceSettings
from schemas.topics import RECOMMENDATIONS
from services.policy.offline_files import documents_in

Event = Mapping[str, Any]
# Text without this word holds no recommendation.
MARK = "evidence_sha256"
PARQUET_MAGIC = b"PAR1"
# How an export of the audit log begins (docs/audit.md): JSON lines, in which what was published stands as base64.
EXPORT_HEAD = b'{"record":"log"'


async def on_topic(wanted: str = MARK) -> AsyncIterator[Event]:
    """Every recommendation whose text holds `wanted`, from the topic's beginning to where it ends now.

    Raises ConnectionError, with what to do, where no broker answers.
    """
    settings = ServiceSettings()
    topic = RECOMMENDATIONS.on(settings.namespace)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        try:
            await consumer.start()
        except KafkaConnectionError as error:
            raise ConnectionError(
                f"No Kafka answers at {settings.kafka_bootstrap}, so the recommendations topic cannot be read; start it"
                " (`./run up`), set COUNTERSIGN_KAFKA_BOOTSTRAP, or name a file with --from"
            ) from error
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        if not places:
            places = [TopicPartition(topic, number) for number in range(RECOMMENDATIONS.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if record.value is not None and wanted.encode() in record.value:
                        for event in _events(json.loads(record.value), wanted):
                            yield event
    finally:
        await consumer.stop()


def in_files(source: str, wanted: str = MARK) -> Iterator[Event]:
    """Every recommendation whose text holds `wanted` in a file, a directory of files, or (`-`) standard input."""
    for text in _texts(source):
        if wanted in text:
            for document in _documents(text, wanted):
                yield from _events(document, wanted)


def _texts(source: str) -> Iterator[str]:
    if source == "-":
        text = sys.stdin.buffer.read()
        yield from _payloads(text.splitlines()) if text.startswith(EXPORT_HEAD) else [text.decode("utf-8")]
        return
    path = Path(source)
    for file in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as opened:
            head = opened.read(len(EXPORT_HEAD))
            opened.seek(0)
            if head == EXPORT_HEAD:
                yield from _payloads(opened)
                continue
        if head.startswith(PARQUET_MAGIC):
            yield from documents_in(file)
            continue
        try:
            yield file.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # keys and packed tiles of an export are no events


def _payloads(lines: Iterable[bytes]) -> Iterator[str]:
    """What the entries of an exported log were made of, one by one: a log may be larger than memory. Erased ones are left out."""
    for number, line in enumerate(lines, start=1):
        try:
            record = orjson.loads(line)
        except ValueError as error:
            raise OSError(
                errno.EILSEQ, f"line {number} of the export is cut off or damaged; export the log again"
            ) from error
        if record["record"] == "payload" and record["value"] is not None:
            yield base64.b64decode(record["value"]).decode("utf-8", "replace")


def _documents(text: str, wanted: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
        return
    except ValueError:
        pass
    for line in text.splitlines():
        if wanted in line:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _events(document: Any, wanted: str) -> Iterator[Event]:
    """The events, however deep an export has wrapped them (a payload may be JSON text itself)."""
    if isinstance(document, str) and wanted in document and document.lstrip().startswith("{"):
        try:
            yield from _events(json.loads(document), wanted)
        except ValueError:
            return
    elif isinstance(document, Mapping):
        if {"recommendation_id", "evidence", "steps"} <= document.keys():
            yield document
        else:
            for child in document.values():
                yield from _events(child, wanted)
    elif isinstance(document, list):
        for child in document:
            yield from _events(child, wanted)
