"""What codes mean, kept and remembered: facts in a table that only grows, and each process' memory of them.

The judgement is in `kernel.naming`. The memory is checked against a version number in every batch, because the
catalogue is read by one process of a service and codes are used by all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from kernel import gtin, naming
from kernel.naming import Fact, Meaning
from kit.database import Transaction
from kit.errors import Rejected
from kit.events import Received
from schemas.base import Message
from schemas.catalogue import (
    AliasDefined,
    ChannelDefined,
    ItemDefined,
    LocationDefined,
    SupplierDefined,
)
from schemas.demand import COUNTER

ITEM, LOCATION, CHANNEL = "item", "location", "channel"
ORDER, COMMITMENT = "purchase_order", "commitment"  # what events make; see `kit.references`
# An own code is told by every version of its master data; only the first counts, so they share one key.
FIRST_ONLY = UUID(int=0)
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)  # when a code was told that needs no telling


@dataclass(frozen=True, slots=True)
class State:
    """What is there of a tenant: the version of its names, whether events are parked, whether any were dropped."""

    version: int
    has_parked: bool
    has_dropped: bool


@dataclass(slots=True)
class _Memory:
    version: int
    # subject -> code -> own code, for codes whose meaning depends on nothing
    plain: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    facts: dict[str, dict[str, tuple[Fact, ...]]] = field(default_factory=lambda: defaultdict(dict))


class Names:
    """The memory of one process. `refresh` first in every transaction, then `learn` the codes, then ask."""

    def __init__(self) -> None:
        self._memory: dict[str, _Memory] = {}

    async def refresh(self, tx: Transaction, tenant: str) -> State:
        """Forget what is out of date."""
        row = await tx.fetchrow(
            "select coalesce((select version from name_versions where tenant = $1), 0) as version,"
            " exists (select from parked_events where tenant = $1) as parked,"
            " exists (select from dropped_events where tenant = $1) as dropped",
            tenant,
        )
        assert row is not None  # a select without from always answers
        memory = self._memory.get(tenant)
        if memory is None or memory.version != row["version"]:
            self._memory[tenant] = _Memory(row["version"])
        return State(row["version"], row["parked"], row["dropped"])

    async def learn(self, tx: Transaction, tenant: str, subject: str, codes: Iterable[str]) -> None:
        """Look up the facts about these codes, and about what they point at."""
        memory = self._memory[tenant]
        plain, facts = memory.plain[subject], memory.facts[subject]
        new = {code for code in codes if code not in plain and code not in facts}
        edge = {name for code in new for name in naming.spellings(code) if name not in facts}
        for _ in range(naming.STEPS_MAX + 1):
            if not edge:
                break
            found = await read(tx, tenant, subject, sorted(edge))
            facts.update({code: tuple(found.get(code, ())) for code in edge})
            edge = {
                name
                for told in found.values()
                for one in told
                for name in naming.spellings(one.target)
                if name not in facts
            }
        for code in new:
            if naming.is_plain(facts, code):
                target = naming.meaning(facts, code, date.max, 0).target
                if target is not None:
                    plain[code] = target

    def plain(self, tenant: str, subject: str) -> dict[str, str]:
        """Learnt codes with one meaning at all times; for the hot path. What is missing here must be asked for."""
        return self._memory[tenant].plain[subject]

    def meaning(self, tenant: str, subject: str, code: str, on: date, at_ms: int) -> Meaning:
        """What a learnt code means for business day `on` in an event recorded at `at_ms`."""
        return naming.meaning(self._memory[tenant].facts[subject], code, on, at_ms)

    def known(self, tenant: str, subject: str, code: str, on: date, at_ms: int) -> Meaning:
        """What a learnt code meant for business day `on` as far as was known at `at_ms`."""
        return naming.known_meaning(self._memory[tenant].facts[subject], code, on, at_ms)


async def read(tx: Transaction, tenant: str, subject: str, codes: Sequence[str]) -> dict[str, list[Fact]]:
    """The facts about these codes, as stored, in the order in which they were told."""
    rows = await tx.fetch(
        "select code, scheme, supplier, target, active, valid_from, defined_at, told_at_ms from name_facts"
        " where tenant = $1 and subject = $2 and code = any($3::text[]) order by told_at_ms, event_hash",
        tenant,
        subject,
        codes,
    )
    found: dict[str, list[Fact]] = defaultdict(list)
    for row in rows:
        found[row["code"]].append(Fact(*row))
    if subject == CHANNEL and COUNTER in codes and not any(one.scheme == naming.OWN for one in found[COUNTER]):
        found[COUNTER].append(own(COUNTER))
    return found


def own(code: str) -> Fact:
    """The fact that a code is its own, where nobody has to tell it."""
    return Fact(code, naming.OWN, "", code, True, None, BEFORE_ALL, 0)


async def tell(tx: Transaction, tenant: str, events: Sequence[Received[Message]]) -> bool:
    """Keep what these catalogue events say about codes; true when something was new.

    Raises Rejected for an alias that cannot be one: a GTIN with a wrong check digit, a code that stands for itself.
    """
    rows = [row for one in events if (row := _row(one)) is not None]
    if not rows:
        return False
    new = await tx.fetch(
        "insert into name_facts (tenant, subject, code, scheme, supplier, target, active, valid_from, defined_at,"
        " told_at_ms, event_hash)"
        " select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::date[],"
        " $9::timestamptz[], $10::bigint[], $11::uuid[]) on conflict do nothing returning 1",
        tenant,
        *(list(column) for column in zip(*rows, strict=True)),
    )
    if new:
        await tx.execute(
            "insert into name_versions (tenant, version) values ($1, nextval('name_versions_drawn'))"
            " on conflict (tenant) do update set version = excluded.version",
            tenant,
        )
    return bool(new)


_Row = tuple[str, str, str, str, str, bool, date | None, datetime, int, UUID]


def _row(one: Received[Message]) -> _Row | None:
    body = one.body
    if isinstance(body, AliasDefined):
        _check(body)
        code = naming.stored_code(body.scheme, body.code)
        about = (body.subject, code, body.scheme, body.supplier or "", body.target, body.active, body.valid_from)
        return (*about, body.defined_at, one.stored_at_ms, one.hash)
    if isinstance(body, ItemDefined):
        subject, code = ITEM, body.sku
    elif isinstance(body, LocationDefined):
        subject, code = LOCATION, body.location
    elif isinstance(body, SupplierDefined):
        subject, code = "supplier", body.supplier
    elif isinstance(body, ChannelDefined):
        subject, code = CHANNEL, body.channel
    else:
        return None
    return subject, code, naming.OWN, "", code, True, None, body.defined_at, one.stored_at_ms, FIRST_ONLY


def _check(alias: AliasDefined) -> None:
    if alias.code == alias.target:
        raise Rejected(
            "alias_of_itself", f"{alias.code!r} is said to stand for itself; name another target", field="target"
        )
    if alias.scheme == naming.GTIN and (why := gtin.fault(alias.code)) is not None:
        raise Rejected("gtin_invalid", f"{why}; correct the code and send the alias again", field="code")


async def history(tx: Transaction, tenant: str, subject: str, code: str) -> list[Fact]:
    """Every fact ever told about a code itself, oldest first."""
    found = await read(tx, tenant, subject, list(naming.spellings(code)))
    return sorted((one for told in found.values() for one in told), key=lambda one: (one.told_at_ms, one.scheme))
