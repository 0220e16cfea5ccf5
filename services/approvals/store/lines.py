"""Lines and the recommendations behind them: read under a row lock, written back whole."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.approvals.domain import ranking
from services.approvals.domain.line import Asleep, LastStep, Line, Proposal, State

PROPOSAL = (
    "recommendation_id, line_id, action, origin, sku, location, quantity, unit, unit_cost, value, currency, order_on, arrive_on,"
    " money_at_risk, approved_by_rule, supersedes, supplier, from_location, changes_order, moq, pack, stockout_on, route_reasons,"
    " order_until, next_order_on, next_arrive_on"
)
_PROPOSAL_FIELDS = tuple(name.strip() for name in PROPOSAL.split(","))
# The columns of a line that are its own, in the order in which `_row` gives them.
_OWN = (
    "tenant, line_id, version, state, recommendation_id, location, quantity, value, rank_score, first_signer, second_signer,"
    " amended_by, needs_second, by_rule, snoozed_until, undo_until, decision_id, order_id, last_verdict, last_by, last_at,"
    " snoozed_quantity, snoozed_stockout_on, wakes_on, keep_until, owner, pending_since, due_at, escalate_to, escalated"
)
_OWN_FIELDS = tuple(name.strip() for name in _OWN.split(","))
# Named twice, by the line and by what it proposes: the line's own go by another name.
_CLASH = {"quantity": "line_quantity", "value": "line_value"}
_LINE = ", ".join(
    [f"l.{name} as {_CLASH.get(name, name)}" for name in _OWN_FIELDS if name not in ("recommendation_id", "location")]
    + [f"r.{name}" for name in _PROPOSAL_FIELDS if name != "line_id"]
    + ["c.category"]
)
_FROM = (
    " from lines l join recommendations r on r.tenant = l.tenant and r.recommendation_id = l.recommendation_id"
    " left join item_categories c on c.tenant = r.tenant and c.sku = r.sku"
)
SELECT = f"select {_LINE}{_FROM}"


def proposal_of(row: Any) -> Proposal:
    """A row that holds the columns of a recommendation, as the domain knows it."""
    fields: dict[str, Any] = {name: row[name] for name in _PROPOSAL_FIELDS}
    return Proposal(**fields | {"route_reasons": tuple(row["route_reasons"])})


def line_of(row: Any) -> Line:
    """A row of `SELECT` as the domain knows it."""
    last = LastStep(row["last_verdict"], row["last_by"], row["last_at"]) if row["last_verdict"] else None
    return Line(
        tenant=row["tenant"],
        line_id=row["line_id"],
        version=row["version"],
        state=State(row["state"]),
        proposal=proposal_of(row),
        quantity=row["line_quantity"],
        value=row["line_value"],
        first_signer=row["first_signer"],
        second_signer=row["second_signer"],
        amended_by=row["amended_by"],
        needs_second=row["needs_second"],
        by_rule=row["by_rule"],
        snoozed_until=row["snoozed_until"],
        asleep=Asleep(row["snoozed_quantity"], row["snoozed_stockout_on"], row["wakes_on"])
        if row["snoozed_quantity"] is not None
        else None,
        keep_until=row["keep_until"],
        category=row["category"],
        owner=row["owner"],
        pending_since=row["pending_since"],
        due_at=row["due_at"],
        escalate_to=row["escalate_to"],
        escalated=row["escalated"],
        undo_until=row["undo_until"],
        decision_id=row["decision_id"],
        order_id=row["order_id"],
        last=last,
    )


async def lock(tx: Transaction, tenant: str, line_ids: Iterable[str]) -> dict[str, Line]:
    """These lines, locked until the transaction ends. Always in the order of their ids, so that two lockers cannot deadlock."""
    rows = await tx.fetch(
        f"{SELECT} where l.tenant = $1 and l.line_id = any($2::text[]) order by l.line_id for update of l",
        tenant,
        sorted(set(line_ids)),
    )
    return {row["line_id"]: line_of(row) for row in rows}


async def resolve(tx: Transaction, tenant: str, ids: Iterable[str]) -> dict[str, str]:
    """Line ids by whatever names the line: its own id, or the id of any of its recommendations."""
    rows = await tx.fetch(
        "select recommendation_id as id, line_id from recommendations where tenant = $1 and recommendation_id = any($2::text[])"
        " union all select line_id, line_id from lines where tenant = $1 and line_id = any($2::text[])",
        tenant,
        sorted(set(ids)),
    )
    return {row["id"]: row["line_id"] for row in rows}


async def find(tx: Transaction, tenant: str, line_id: str) -> Line | None:
    """One line, without a lock."""
    row = await tx.fetchrow(f"{SELECT} where l.tenant = $1 and l.line_id = $2", tenant, line_id)
    return line_of(row) if row else None


async def lock_held(tx: Transaction, tenant: str, limit: int) -> list[Line]:
    """Held lines, longest held first, locked; those another transaction works on right now are left to it."""
    rows = await tx.fetch(
        f"{SELECT} where l.tenant = $1 and l.state in ('by_rule', 'approved', 'amended')"
        " order by l.undo_until, l.line_id limit $2 for update of l skip locked",
        tenant,
        limit,
    )
    return [line_of(row) for row in rows]


async def any_held_due(tx: Transaction, tenant: str, now: datetime) -> bool:
    """Whether any held line's undo window is over; cheap, asked by the release job before it locks anything."""
    found = await tx.fetchval(
        "select exists (select from lines where tenant = $1 and state in ('by_rule', 'approved', 'amended') and undo_until <= $2)",
        tenant,
        now,
    )
    return bool(found)


async def lock_of_order(tx: Transaction, tenant: str, order_id: str) -> list[Line]:
    """The lines of an order, locked."""
    rows = await tx.fetch(
        f"{SELECT} where l.tenant = $1 and l.order_id = $2 order by l.line_id for update of l", tenant, order_id
    )
    return [line_of(row) for row in rows]


async def lock_touched_by_day(
    tx: Transaction, tenant: str, locations: Sequence[str], days: Sequence[date], expires_after_days: int
) -> list[Line]:
    """Waiting lines of these locations whose snooze or freshness ends with these closed business days, locked."""
    rows = await tx.fetch(
        f"{SELECT} join unnest($2::text[], $3::date[]) as d(location, day) on d.location = l.location"
        " where l.tenant = $1 and l.state in ('pending', 'awaiting_second', 'snoozed')"
        " and (l.snoozed_until <= d.day or r.origin + $4::int < d.day) order by l.line_id for update of l",
        tenant,
        locations,
        days,
        expires_after_days,
    )
    return [line_of(row) for row in rows]


_ASKED = f"{SELECT} where l.tenant = $1 and l.state in ('pending', 'awaiting_second') order by l.line_id"


async def asked(tx: Transaction, tenant: str) -> list[Line]:
    """Every line a person is asked about now, without a lock."""
    return [line_of(row) for row in await tx.fetch(_ASKED, tenant)]


async def lock_asked(tx: Transaction, tenant: str) -> list[Line]:
    """Every line a person is asked about now, locked."""
    return [line_of(row) for row in await tx.fetch(f"{_ASKED} for update of l", tenant)]


async def lock_overdue(tx: Transaction, tenant: str, now: datetime, limit: int) -> list[Line]:
    """Lines whose time to be decided is over and which nobody else works on right now, locked."""
    rows = await tx.fetch(
        f"{SELECT} where l.tenant = $1 and l.state in ('pending', 'awaiting_second') and not l.escalated and l.due_at <= $2"
        " order by l.due_at, l.line_id limit $3 for update of l skip locked",
        tenant,
        now,
        limit,
    )
    return [line_of(row) for row in rows]


async def signed_alone(
    tx: Transaction, tenant: str, groups: Iterable[tuple[str, date]]
) -> dict[tuple[str, date], Decimal]:
    """What approvals of one signature come to, by supplier and order day.

    Whoever asks holds the group until the transaction ends, so that two persons who sign at once cannot both miss the
    other's line. Call it after the lines are locked, never before: the order keeps two callers from waiting for each other.
    """
    wanted = sorted(set(groups))
    for supplier, day in wanted:
        await tx.execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 2))",
            f"approvals.signed\x1f{tenant}\x1f{supplier}\x1f{day}",
        )
    rows = await tx.fetch(
        "select r.supplier, r.order_on, sum(l.value) as value from unnest($2::text[], $3::date[]) as g(supplier, day)"
        " join recommendations r on r.tenant = $1 and r.supplier = g.supplier and r.order_on = g.day"
        " join lines l on l.tenant = r.tenant and l.recommendation_id = r.recommendation_id"
        " where l.state in ('approved', 'amended', 'released', 'closed') and not l.by_rule and not l.needs_second"
        " group by r.supplier, r.order_on",
        tenant,
        [supplier for supplier, _ in wanted],
        [day for _, day in wanted],
    )
    return {(row["supplier"], row["order_on"]): row["value"] for row in rows}


_SAVE = (
    f"insert into lines ({_OWN}) values ({', '.join(f'${number}' for number in range(1, len(_OWN_FIELDS) + 1))})"
    " on conflict (tenant, line_id) do update set "
    + ", ".join(f"{name} = excluded.{name}" for name in _OWN_FIELDS if name not in ("tenant", "line_id", "location"))
)


async def save(tx: Transaction, lines: Iterable[Line]) -> None:
    """Write lines back whole; the caller holds their locks (or they are new)."""
    await tx.executemany(_SAVE, [_row(line) for line in lines])


def _row(line: Line) -> tuple[Any, ...]:
    p = line.proposal
    rank = ranking.score(p.money_at_risk, origin=p.origin, arrive_on=p.arrive_on, stockout_on=p.stockout_on)
    last = (line.last.verdict, line.last.by, line.last.at) if line.last else (None, None, None)
    return (
        line.tenant,
        line.line_id,
        line.version,
        line.state.value,
        p.recommendation_id,
        p.location,
        line.quantity,
        line.value,
        rank,
        line.first_signer,
        line.second_signer,
        line.amended_by,
        line.needs_second,
        line.by_rule,
        line.snoozed_until,
        line.undo_until,
        line.decision_id,
        line.order_id,
        *last,
        *((line.asleep.quantity, line.asleep.stockout_on, line.asleep.wakes_on) if line.asleep else (None, None, None)),
        line.keep_until,
        line.owner,
        line.pending_since,
        line.due_at,
        line.escalate_to,
        line.escalated,
    )
