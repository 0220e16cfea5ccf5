"""`./run derive`: computes recommendations again from their logged evidence alone and compares bytes, one or all of them."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from services.policy import published
from services.policy.domain.cascade import derive
from services.policy.domain.evidence_text import CODE_VERSION, canonical, evidence_of, sha256_of

# What the shell adds around the derived content: which line, run and predecessor it belongs to, and what holds once its order
# day is over.
AROUND = frozenset({"line_id", "run_id", "supersedes", "order_until", "next_order_on", "next_arrive_on"})
AGREES, DIFFERS, NOT_FOUND = 0, 1, 2
TOPIC = "the recommendations topic"
TOLD_MAX = 20  # of those that differ, when all are derived


def rederive(event: Mapping[str, Any]) -> tuple[bool, bytes, bytes]:
    """(equal, logged bytes, derived bytes) of a published recommendation. Raises KeyError, ValueError on other input."""
    logged = canonical({name: value for name, value in event.items() if name not in AROUND})
    return logged == (derived := derive(evidence_of(event["evidence"]))), logged, derived


def difference(event: Mapping[str, Any]) -> str | None:
    """What is wrong with a published recommendation, in a sentence; None when it is derived again byte for byte."""
    try:
        if sha256_of(event["evidence"]) != event["evidence_sha256"]:
            return "the evidence is not the one that was hashed: it was changed after publication"
        agrees, logged, derived = rederive(event)
    except (KeyError, ValueError, TypeError) as error:
        return f"the evidence cannot be read: {type(error).__name__}: {error}"
    if agrees:
        return None
    before, after = json.loads(logged), json.loads(derived)
    fields = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    version = event.get("code_version")
    hint = f"; it was made by {version}, this is {CODE_VERSION}" if version != CODE_VERSION else ""
    return f"differs in {', '.join(fields)}{hint}"


def main(argv: Sequence[str]) -> int:
    """Exit code 0: equal bytes; 1: one differs, and where; 2: there is no such recommendation, or none at all."""
    parser = argparse.ArgumentParser(prog="derive", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("recommendation_id", nargs="?", help="derive this one")
    which.add_argument("--all", action="store_true", help="derive every recommendation there is, and count")
    parser.add_argument(
        "--from",
        dest="source",
        help="a recommendation event, a list of them, JSON lines, an audit export (file or directory), or a result of"
        " plan --documents; - reads stdin; without it the recommendations topic is read",
    )
    arguments = parser.parse_args(argv)
    try:
        if arguments.all:
            return asyncio.run(_all(arguments.source))
        return asyncio.run(_one(arguments.recommendation_id, arguments.source))
    except ConnectionError as error:
        print(error, file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"{arguments.source} cannot be read: {error.strerror}; name a file or directory", file=sys.stderr)
        return NOT_FOUND


async def _events(source: str | None, wanted: str) -> AsyncIterator[published.Event]:
    if source is None:
        async for event in published.on_topic(wanted):
            yield event
    else:
        for event in published.in_files(source, wanted):
            yield event


async def _one(name: str, source: str | None) -> int:
    async for event in _events(source, name):
        if event["recommendation_id"] == name:
            wrong = difference(event)
            if wrong is None:
                size = len(canonical({key: value for key, value in event.items() if key not in AROUND}))
                print(f"{name}: derived again from its evidence, {size} equal bytes ({CODE_VERSION})")
                return AGREES
            print(f"{name}: {wrong}", file=sys.stderr)
            return DIFFERS
    print(
        f"{name} is not among the recommendations in {source or TOPIC}; export the audit log of"
        " the day it was made, or name a file that holds its event",
        file=sys.stderr,
    )
    return NOT_FOUND


async def _all(source: str | None) -> int:
    """Each event counts, also one that is there twice; those that differ are named."""
    derived = agreed = size = 0
    async for event in _events(source, published.MARK):
        derived += 1
        size += len(canonical(event["evidence"]))
        wrong = difference(event)
        if wrong is None:
            agreed += 1
        elif derived - agreed <= TOLD_MAX:
            print(f"{event['recommendation_id']}: {wrong}", file=sys.stderr)
    if not derived:
        print(
            f"there is no recommendation in {source or TOPIC}; name an audit export or a result of plan --documents",
            file=sys.stderr,
        )
        return NOT_FOUND
    print(
        f"{agreed} of {derived} recommendations derived again byte for byte, from {size} bytes of evidence ({CODE_VERSION})"
    )
    return AGREES if agreed == derived else DIFFERS


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
