"""What the approvals service and the ERP published: decisions, orders, answers to orders."""

from collections.abc import Collection, Sequence

from kernel import naming
from kit import names, references
from kit.database import Transaction
from services.gateway.store.rows import Row, as_json


async def put_decisions(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """Every decision, once; (line, version) is one decision for ever."""
    await tx.execute(
        """
        insert into decisions (tenant, line_id, version, decision_id, recommendation_id, sku, location, verdict, status, quantity_before,
          quantity, value, currency, decided_by, role, decided_at, reason_code, note, snoozed_until, limits)
        select $1, line_id, version, decision_id, recommendation_id, sku, location, verdict, status, quantity_before, quantity, value,
          currency, decided_by, role, decided_at, reason_code, note, snoozed_until, limits
        from jsonb_to_recordset($2::jsonb) as r(line_id text, version integer, decision_id text, recommendation_id text, sku text,
          location text, verdict text, status text, quantity_before numeric, quantity numeric, value numeric, currency text,
          decided_by text, role text, decided_at timestamptz, reason_code text, note text, snoozed_until date, limits jsonb)
        order by line_id, version
        on conflict (tenant, line_id, version) do nothing
        """,
        tenant,
        as_json(rows),
    )


async def back_from_snooze(tx: Transaction, tenant: str, line: Row) -> str | None:
    """What changed while the line was put aside, when its coming back is the last that happened to it."""
    if line["decision_reason"] not in ("changed_since_snooze", "snooze_over"):
        return None
    note: str | None = await tx.fetchval(
        "select note from decisions where tenant = $1 and line_id = $2 order by version desc limit 1",
        tenant,
        line["line_id"],
    )
    return note


async def put_comments(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """What people said, each once."""
    await tx.execute(
        """
        insert into comments (tenant, comment_id, line_id, recommendation_id, sku, location, text, commented_by, role, commented_at,
          mentions)
        select $1, comment_id, line_id, recommendation_id, sku, location, text, commented_by, role, commented_at,
          array(select jsonb_array_elements_text(mentions))
        from jsonb_to_recordset($2::jsonb) as r(comment_id text, line_id text, recommendation_id text, sku text, location text,
          text text, commented_by text, role text, commented_at timestamptz, mentions jsonb)
        order by comment_id
        on conflict do nothing
        """,
        tenant,
        as_json(rows),
    )


async def put_assignments(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """The newest assignment of each line."""
    await tx.execute(
        """
        insert into assignments (tenant, line_id, recommendation_id, version, owner, due_at, escalate_to, escalated, signatures,
          asked_by, assigned_at, asked_since)
        select distinct on (line_id) $1, line_id, recommendation_id, version, owner, due_at, escalate_to, escalated, signatures,
          array(select jsonb_array_elements_text(asked_by)), assigned_at, asked_since
        from jsonb_to_recordset($2::jsonb) as r(line_id text, recommendation_id text, version integer, owner text, due_at timestamptz,
          escalate_to text, escalated boolean, signatures text, asked_by jsonb, assigned_at timestamptz,
          asked_since timestamptz)
        order by line_id, assigned_at desc
        on conflict (tenant, line_id) do update set recommendation_id = excluded.recommendation_id, version = excluded.version,
          owner = excluded.owner, due_at = excluded.due_at, escalate_to = excluded.escalate_to, escalated = excluded.escalated,
          signatures = excluded.signatures, asked_by = excluded.asked_by, assigned_at = excluded.assigned_at,
          asked_since = excluded.asked_since
        where assignments.assigned_at <= excluded.assigned_at
        """,
        tenant,
        as_json(rows),
    )


async def put_orders(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """Released orders and which decisions they carry out."""
    await tx.execute(
        """
        insert into orders (tenant, order_id, kind, supplier, from_location, changes_order, location, order_on, arrive_on, currency,
          value, released_at, missed_order_on, lines)
        select $1, order_id, kind, supplier, from_location, changes_order, location, order_on, arrive_on, currency, value, released_at,
          missed_order_on, lines
        from jsonb_to_recordset($2::jsonb) as r(order_id text, kind text, supplier text, from_location text, changes_order text,
          location text, order_on date, arrive_on date, currency text, value numeric, released_at timestamptz,
          missed_order_on date, lines jsonb)
        order by order_id
        on conflict (tenant, order_id) do nothing
        """,
        tenant,
        as_json(rows),
    )
    await tx.execute(
        """
        insert into order_lines (tenant, recommendation_id, order_id, line_no, decision_id)
        select $1, l->>'recommendation_id', r.order_id, (l->>'line_no')::integer, l->>'decision_id'
        from jsonb_to_recordset($2::jsonb) as r(order_id text, lines jsonb), jsonb_array_elements(r.lines) as l
        order by 2, 3
        on conflict do nothing
        """,
        tenant,
        as_json(rows),
    )


async def put_order_updates(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """Answers and cancellations, each once."""
    await tx.execute(
        """
        insert into order_updates (tenant, order_id, event_id, status, updated_at, lines, note, business_date)
        select $1, order_id, event_id, status, updated_at, lines, note, business_date
        from jsonb_to_recordset($2::jsonb) as r(order_id text, event_id text, status text, updated_at timestamptz, lines jsonb, note text,
          business_date date)
        order by order_id, event_id
        on conflict do nothing
        """,
        tenant,
        as_json(rows),
    )


async def made_orders(tx: Transaction, tenant: str, codes: Sequence[str]) -> set[str]:
    """Those of these that were released."""
    rows = await tx.fetch("select order_id from orders where tenant = $1 and order_id = any($2::text[])", tenant, codes)
    return {row["order_id"] for row in rows}


async def find_orders(tx: Transaction, tenant: str) -> None:
    """Let answers whose order was not known go to the order that an alias of its code means by now."""
    rows = await tx.fetch(
        "select u.order_id, u.event_id, u.business_date from order_updates u where u.tenant = $1 and u.order_id in"
        " (select code from name_facts where tenant = $1 and subject = $2) and not exists"
        " (select from orders o where o.tenant = $1 and o.order_id = u.order_id) and u.business_date is not null order by 1, 2",
        tenant,
        names.ORDER,
    )
    asked = [(row["order_id"], row["business_date"], naming.NOW_MS) for row in rows]
    means = await references.meanings(tx, tenant, names.ORDER, asked, made_orders)
    found = [(row, meaning.target) for row, meaning in zip(rows, means, strict=True) if meaning.target is not None]
    await tx.executemany(
        "update order_updates set order_id = $4 where tenant = $1 and order_id = $2 and event_id = $3",
        [(tenant, row["order_id"], row["event_id"], target) for row, target in found],
    )


async def lines_of_decisions(tx: Transaction, tenant: str, decisions: Collection[str]) -> list[str]:
    """The lines these decisions are about, as far as they are known here yet."""
    rows = await tx.fetch(
        "select distinct line_id from decisions where tenant = $1 and decision_id = any($2)", tenant, sorted(decisions)
    )
    return [row["line_id"] for row in rows]
