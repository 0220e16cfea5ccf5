"""The inbox: which events were handled before. Its rows are written in the transaction that handles them."""

from collections.abc import Sequence
from typing import Any

from kit import telemetry
from kit.database import Transaction
from kit.events import Received
from kit.hopeful import Hopeful

REPEATS = telemetry.counter("inbox_repeats_total", "Events that were delivered again and dropped", ("topic",))
CONFLICTS = telemetry.counter("inbox_conflicts_total", "Events that came with the id of another event", ("topic",))

# Sorted by key, so that concurrent consumers cannot deadlock.
_PLAIN = (
    "insert into inbox (tenant, event_hash, digest)"
    " select $1, * from unnest($2::uuid[], $3::bigint[]) as t(h, d) order by 1, 2"
)
_CAREFUL = f"{_PLAIN} on conflict (tenant, event_hash) do nothing returning event_hash"
_hopeful = Hopeful(_PLAIN)


def _first_of_each(received: Sequence[Received[Any]]) -> tuple[dict[Any, Received[Any]], list[Received[Any]]]:
    """The first event of each id, and those that came behind it with another content."""
    first: dict[Any, Received[Any]] = {}
    conflicts: list[Received[Any]] = []
    for one in received:
        earlier = first.setdefault(one.hash, one)
        if earlier is not one:
            (conflicts if earlier.digest != one.digest else []).append(one)
            (CONFLICTS if earlier.digest != one.digest else REPEATS).labels(one.topic.name).inc()
    return first, conflicts


async def fresh(
    tx: Transaction, tenant: str, received: Sequence[Received[Any]]
) -> tuple[list[Received[Any]], list[Received[Any]]]:
    """Split into events not handled before, in order, and conflicts: ids seen before with another content.

    A repeat with equal content is dropped.
    """
    if not received:
        return [], []
    first: dict[Any, Received[Any]] = {one.hash: one for one in received}
    conflicts: list[Received[Any]] = []
    if len(first) < len(received):
        first, conflicts = _first_of_each(received)
    hashes = list(first)
    arguments = (tenant, hashes, [first[one].digest for one in hashes])
    if await _hopeful.fetch(tx, len(hashes), *arguments) is not None:
        return list(first.values()), conflicts
    taken = {row["event_hash"] for row in await tx.fetch(_CAREFUL, *arguments)}
    if len(taken) < len(first):
        known = [one for one in hashes if one not in taken]
        rows = await tx.fetch(
            "select event_hash, digest from inbox where tenant = $1 and event_hash = any($2::uuid[])", tenant, known
        )
        for row in rows:
            one = first[row["event_hash"]]
            if one.digest != row["digest"]:
                conflicts.append(one)
            (CONFLICTS if one.digest != row["digest"] else REPEATS).labels(one.topic.name).inc()
    return [one for key, one in first.items() if key in taken], conflicts
