"""What suppliers kept of their promises, and what people did with what was recommended; counted from the read models."""

from datetime import date
from typing import Any

from kit.database import Transaction
from services.gateway.store.rows import Row, as_dicts

# One row for each line of an order to a supplier, with what came and when: an order may come in several deliveries.
_ORDERED = """
  with ordered as (
    select o.order_id, o.supplier, o.order_on, o.arrive_on, l->>'sku' as sku, (l->>'quantity')::numeric as quantity,
      (l->>'unit_cost')::numeric as unit_cost, (l->>'value')::numeric as value
    from orders o, jsonb_array_elements(o.lines) as l
    where o.tenant = $1 and o.supplier is not null and o.kind = 'purchase_order' and o.order_on > $2
  ), said as (
    select u.order_id, u.status, u.business_date, l->>'sku' as sku, (l->>'quantity')::numeric as quantity,
      (l->>'unit_cost')::numeric as unit_cost, (l->>'arrive_on')::date as arrive_on
    from order_updates u, jsonb_array_elements(u.lines) as l
    where u.tenant = $1 and u.status in ('confirmed', 'received')
  ), line as (
    select d.*, r.came, r.first_on, r.last_on, c.confirmed, c.confirmed_cost, c.confirmed_on, x.is_cancelled
    from ordered d
    left join lateral (select sum(quantity) as came, min(business_date) as first_on, max(business_date) as last_on from said s
      where s.order_id = d.order_id and s.sku = d.sku and s.status = 'received') r on true
    left join lateral (select min(quantity) as confirmed, max(unit_cost) as confirmed_cost, max(arrive_on) as confirmed_on from said s
      where s.order_id = d.order_id and s.sku = d.sku and s.status = 'confirmed') c on true
    left join lateral (select true as is_cancelled from order_updates u where u.tenant = $1 and u.order_id = d.order_id
      and u.status in ('cancelled', 'failed') limit 1) x on true
  )
"""


async def suppliers(tx: Transaction, tenant: str, after: date) -> list[Row]:
    """Every supplier with orders after this day: lines, how many came in time and in full, and how its answers differed."""
    return as_dicts(
        await tx.fetch(
            _ORDERED
            + """
            select line.supplier, s.name, s.body->>'minimum_order_value' as minimum_order_value, count(distinct order_id) as orders,
              count(*) as lines, sum(value) as value,
              count(*) filter (where came is not null) as received,
              count(*) filter (where came is not null and last_on <= arrive_on) as in_time,
              count(*) filter (where came >= quantity) as in_full,
              count(*) filter (where came >= quantity and last_on <= arrive_on) as otif,
              count(*) filter (where confirmed < quantity) as confirmed_short,
              count(*) filter (where confirmed_on > arrive_on) as confirmed_late,
              count(*) filter (where confirmed_cost > unit_cost) as dearer,
              count(*) filter (where is_cancelled) as cancelled,
              avg(last_on - arrive_on) filter (where came is not null) as days_late,
              avg(last_on - order_on) filter (where came is not null) as lead_time,
              stddev_samp(last_on - order_on) filter (where came is not null) as lead_time_deviation,
              avg(arrive_on - order_on) as promised_lead_time,
              sum(came) filter (where came is not null) / nullif(sum(quantity) filter (where came is not null), 0) as fill_rate
            from line left join catalogue s on s.tenant = $1 and s.kind = 'supplier' and s.identity = line.supplier
            group by line.supplier, s.name, s.body->>'minimum_order_value' order by sum(value) desc, line.supplier
            """,
            tenant,
            after,
        )
    )


async def decided_by_day(tx: Transaction, tenant: str, after: date) -> list[Row]:
    """Decisions after this day, by day (UTC) and verdict, with how many lines and how much money."""
    return as_dicts(
        await tx.fetch(
            "select (decided_at at time zone 'UTC')::date as day, verdict, count(*) as lines, sum(value) as value, max(currency) as currency"
            " from decisions where tenant = $1 and (decided_at at time zone 'UTC')::date > $2 group by 1, 2 order by 1, 2",
            tenant,
            after,
        )
    )


async def decided_by_person(tx: Transaction, tenant: str, after: date) -> list[Row]:
    """What each person decided after this day, and how long lines waited for them (median, hours)."""
    return as_dicts(
        await tx.fetch(
            "select d.decided_by, count(*) filter (where d.verdict in ('approved', 'first_signature')) as approved,"
            " count(*) filter (where d.verdict = 'amended') as amended, count(*) filter (where d.verdict = 'rejected') as rejected,"
            " count(*) filter (where d.verdict = 'snoozed') as snoozed, count(*) filter (where d.verdict = 'undone') as undone,"
            " percentile_cont(0.5) within group (order by extract(epoch from d.decided_at - l.issued_at) / 3600)"
            " filter (where d.verdict in ('approved', 'amended', 'rejected') and l.recommendation_id = d.recommendation_id) as median_hours"
            " from decisions d left join lines l on l.tenant = d.tenant and l.line_id = d.line_id"
            " where d.tenant = $1 and (d.decided_at at time zone 'UTC')::date > $2 and d.role not in ('rule', 'system')"
            " group by d.decided_by order by count(*) desc, d.decided_by",
            tenant,
            after,
        )
    )


async def override_reasons(tx: Transaction, tenant: str, after: date) -> list[Row]:
    """Why people decided otherwise after this day, most often first; with the size of amendments as a share (median)."""
    return as_dicts(
        await tx.fetch(
            "select verdict, reason_code, count(*) as lines,"
            " percentile_cont(0.5) within group (order by (quantity - quantity_before)::double precision / nullif(quantity_before, 0))"
            " filter (where quantity <> quantity_before) as median_change"
            " from decisions where tenant = $1 and (decided_at at time zone 'UTC')::date > $2 and reason_code is not null"
            " and role not in ('rule', 'system') group by 1, 2 order by 3 desc, 1, 2",
            tenant,
            after,
        )
    )


async def metered(tx: Transaction, tenant: str) -> dict[str, Any]:
    """What this tenant's log holds, counted: the units a bill would name."""
    row = await tx.fetchrow(
        "select (select count(*) from lines where tenant = $1) as lines, (select count(*) from decisions where tenant = $1) as decisions,"
        " (select count(*) from orders where tenant = $1) as orders, (select count(*) from outcomes where tenant = $1) as items_planned,"
        " (select count(*) from forecasts where tenant = $1) as items_forecast",
        tenant,
    )
    return dict(row) if row else {}


async def metered_by_month(tx: Transaction, tenant: str, months: int) -> list[Row]:
    """What was said once and never changes, by the month (UTC) it was said in, newest first: what a bill of it counts."""
    return as_dicts(
        await tx.fetch(
            "select to_char(at at time zone 'UTC', 'YYYY-MM') as month, count(*) filter (where what = 'decision') as decisions,"
            " count(*) filter (where what = 'order') as orders, coalesce(sum(lines), 0) as order_lines,"
            " count(*) filter (where what = 'answer') as answers from ("
            "  select decided_at as at, 'decision' as what, 0 as lines from decisions where tenant = $1"
            "  union all select released_at, 'order', jsonb_array_length(lines) from orders where tenant = $1"
            "  union all select updated_at, 'answer', 0 from order_updates where tenant = $1) said"
            " group by 1 order by 1 desc limit $2",
            tenant,
            months,
        )
    )
