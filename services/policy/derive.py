"""`./run derive <recommendation-id>`: computes a recommendation again from its logged evidence and compares bytes."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from kit.settings import ServiceSettings
from schemas.topics import RECOMMENDATIONS
from services.policy.domain.cascade import derive
from services.policy.domain.evidence import CODE_VERSION, canonical, evidence_of, sha256_of

# What the shell adds around the derived content: which line, run and predecessor it belongs to.
AROUND = frozenset({"line_id", "run_id", "supersedes"})
AGREES, DIFFERS, NOT_FOUND = 0, 1, 2


def rederive(event: Mapping[str, Any]) -> tuple[bool, bytes, bytes]:
    """(equal, logged bytes, derived bytes) of a published recommendation. Raises KeyError, ValueError on other input."""
    logged = canonical({name: value for name, value in event.items() if name not in AROUND})
    return logged == (derived := derive(evidence_of(event["evidence"]))), logged, derived


def main(argv: Sequence[str]) -> int:
    """Exit code 0: equal bytes; 1: they differ, and where; 2: the recommendation is not in the given file."""
    parser = argparse.ArgumentParser(prog="derive", description=__doc__)
    parser.add_argument("recommendation_id")
    parser.add_argument(
        "--from",
        dest="source",
        help="a recommendation event, a list of them, JSON lines, or an audit export (file or directory); - reads stdin;"
        " without it the recommendations topic is read",
    )
    arguments = parser.parse_args(argv)
    if arguments.source is None:
        arguments.source = "the recommendations topic"
        event = asyncio.run(_from_topic(arguments.recommendation_id))
    else:
        event = _find(arguments.source, arguments.recommendation_id)
    if event is None:
        print(
            f"{arguments.recommendation_id} is not among the recommendations in {arguments.source}; export the audit log of"
            " the day it was made, or name a file that holds its event",
            file=sys.stderr,
        )
        return NOT_FOUND
    return _report(event)


def _report(event: Mapping[str, Any]) -> int:
    agrees, logged, derived = rederive(event)
    name = event["recommendation_id"]
    if sha256_of(event["evidence"]) != event["evidence_sha256"]:
        print(f"{name}: the evidence is not the one that was hashed: it was changed after publication", file=sys.stderr)
        return DIFFERS
    if agrees:
        print(f"{name}: derived again from its evidence, {len(derived)} equal bytes ({CODE_VERSION})")
        return AGREES
    before, after = json.loads(logged), json.loads(derived)
    fields = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    version = event.get("code_version")
    hint = f"; it was made by {version}, this is {CODE_VERSION}" if version != CODE_VERSION else ""
    print(f"{name}: differs in {', '.join(fields)}{hint}", file=sys.stderr)
    return DIFFERS


async def _from_topic(recommendation_id: str) -> Mapping[str, Any] | None:
    """Read the recommendations topic from its beginning to where it ends now."""
    settings = ServiceSettings()
    topic = RECOMMENDATIONS.on(settings.namespace)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        if not places:
            places = [TopicPartition(topic, number) for number in range(RECOMMENDATIONS.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        wanted = recommendation_id.encode()
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if record.value is not None and wanted in record.value:
                        found = _search(json.loads(record.value), recommendation_id)
                        if found is not None:
                            return found
    finally:
        await consumer.stop()
    return None


def _find(source: str, recommendation_id: str) -> Mapping[str, Any] | None:
    for text in _texts(source):
        for document in _documents(text):
            found = _search(document, recommendation_id)
            if found is not None:
                return found
    return None


def _texts(source: str) -> Iterator[str]:
    if source == "-":
        yield sys.stdin.read()
        return
    path = Path(source)
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for file in files:
        try:
            yield file.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # keys and packed tiles of an export are no events


def _documents(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
        return
    except ValueError:
        pass
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _search(document: Any, recommendation_id: str) -> Mapping[str, Any] | None:
    """The event, however deep an export has wrapped it (a payload may be JSON text itself)."""
    if isinstance(document, str) and recommendation_id in document and document.lstrip().startswith("{"):
        try:
            return _search(json.loads(document), recommendation_id)
        except ValueError:
            return None
    if isinstance(document, Mapping):
        if document.get("recommendation_id") == recommendation_id and "evidence" in document and "steps" in document:
            return document
        children: Sequence[Any] = list(document.values())
    elif isinstance(document, list):
        children = document
    else:
        return None
    return next((found for one in children if (found := _search(one, recommendation_id)) is not None), None)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
