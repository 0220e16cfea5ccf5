"""Lines and the recommendations behind them: read under a row lock, written back whole."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from kit.database import Transaction
from services.approvals.domain import ranking
from services.approvals.domain.line import LastStep, Line, Proposal, State

PROPOSAL = (
    "recommendation_id, line_id, action, origin, sku, location, quantity, unit, unit_cost, value, currency, order_on, arrive_on,"
    " money_at_risk, approved_by_rule, supersedes, supplier, from_location, moq, pack, stockout_on, route_reasons"
)
_PROPOSAL_FIELDS = tuple(name.strip() for name in PROPOSAL.split(","))
_LINE = (
    "l.tenant, l.line_id, l.version, l.state, l.quantity as line_quantity, l.value as line_value, l.rank_score, l.first_signer,"
    " l.second_signer, l.amended_by, l.needs_second, l.by_rule, l.snoozed_until, l.undo_until, l.decision_id, l.order_id,"
    " l.last_verdict, l.last_by, l.last_at, " + ", ".join(f"r.{name}" for name in _PROPOSAL_FIELDS)
)
_FROM = " from lines l join recommendations r on r.tenant = l.tenant and r.recommendation_id = l.recommendation_id"
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


async def save(tx: Transaction, lines: Iterable[Line]) -> None:
    """Write lines back whole; the caller holds their locks (or they are new)."""
    await tx.executemany(
        "insert into lines (tenant, line_id, version, state, recommendation_id, location, quantity, value, rank_score, first_signer,"
        " second_signer, amended_by, needs_second, by_rule, snoozed_until, undo_until, decision_id, order_id, last_verdict, last_by, last_at)"
        " values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)"
        " on conflict (tenant, line_id) do update set version = excluded.version, state = excluded.state,"
        " recommendation_id = excluded.recommendation_id, location = excluded.location, quantity = excluded.quantity, value = excluded.value,"
        " rank_score = excluded.rank_score, first_signer = excluded.first_signer, second_signer = excluded.second_signer,"
        " amended_by = excluded.amended_by, needs_second = excluded.needs_second, by_rule = excluded.by_rule,"
        " snoozed_until = excluded.snoozed_until, undo_until = excluded.undo_until, decision_id = excluded.decision_id,"
        " order_id = excluded.order_id, last_verdict = excluded.last_verdict, last_by = excluded.last_by, last_at = excluded.last_at",
        [_row(line) for line in lines],
    )


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
    )
