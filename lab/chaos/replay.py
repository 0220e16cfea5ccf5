"""Row 32: a service forgets where it was and reads everything again; what it holds must not change, nor what it said."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from lab.chaos.collect import COLUMNS
from lab.chaos.evidence import Violation
from lab.chaos.stand import Stand
from services.gateway.store.rebuild import drop_read_models

# What each service made of the log. Its clocks (received at, signed at) are not part of it.
DIGESTED = {
    "policy": ("policy.ledger", "policy.positions"),
    "forecaster": ("forecaster.daily_demand",),
    "approvals": ("approvals.decisions", "approvals.lines"),
    "audit": ("audit.entries",),
    # The gateway owns no truth: its read models are dropped first, and every column of them comes from the topics.
    "gateway": tuple(
        f"gateway.{name}" for name in ("catalogue", "decisions", "lines", "order_lines", "orders", "outcomes")
    ),
}


def replay_all(stand: Stand, rng: random.Random, settle: Callable[[], None], counts: Counter[str]) -> list[Violation]:
    """One service by chance, from offset 0; violations when its digest or what was published changes."""
    name = rng.choice(sorted(DIGESTED))
    said, before = published(stand), digest(stand, name)
    stand.service(name).stop(grace_seconds=15.0)
    if name == "gateway":
        asyncio.run(drop_read_models(stand.database.service_url(name)))
    else:
        stand.query(f"update {name}.consumed_positions set next_offset = 0")
    stand.launch(name)
    stand.await_ready(name)
    settle()
    counts[f"replays of {name}"] += 1
    found = []
    if digest(stand, name) != before:
        found.append(Violation("S", "replay", f"{name} holds something else after reading everything again"))
    if published(stand) != said:
        found.append(Violation("E", "replay", f"{name} said something again after reading everything again"))
    return found


def digest(stand: Stand, service: str) -> str:
    """A digest over the rows of what the service derives from the log, in no particular order."""
    parts = []
    for table in DIGESTED[service]:
        columns = "*" if service == "gateway" else COLUMNS[table]
        rows = f"(select {columns} from {table}) t"
        parts.append(
            stand.query(f"select md5(coalesce(string_agg(t::text, ';' order by t::text), '')) as d from {rows}")[0]["d"]
        )
    return "/".join(parts)


def published(stand: Stand) -> int:
    """How many messages the services have ever put into their outboxes, but for the audit log's own signatures."""
    names = ("forecaster", "policy", "approvals")
    query = " union all ".join(f"select count(*) as n from {name}.outbox" for name in names)
    return sum(row["n"] for row in stand.query(query))
