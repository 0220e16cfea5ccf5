"""Lines that people amended or refused, as their decisions stand now."""

from datetime import date

from kit.database import Transaction
from services.gateway.store.rows import Row, as_dicts

# The last word on each recommendation; what was taken back is none. An amendment that needed two signatures ends as
# `approved`, by whoever signed second: it belongs to whoever changed the quantity, with their reason.
OVERRULED = """
with last as (
  select distinct on (line_id, recommendation_id) * from decisions
  where tenant = $1 and verdict in ('approved', 'approved_by_rule', 'amended', 'rejected', 'undone', 'recalled')
  order by line_id, recommendation_id, version desc
)
select l.line_id, l.recommendation_id, l.decision_id, l.sku, l.location, l.currency, l.decided_at,
  case when l.verdict = 'rejected' then 'rejected' else 'amended' end as verdict,
  case when l.verdict = 'rejected' then 0 else l.quantity end as quantity,
  coalesce(a.decided_by, l.decided_by) as decided_by, coalesce(a.reason_code, l.reason_code, 'none') as reason_code,
  i.name, count(*) over () as total
from last l
left join lateral (
  select d.decided_by, d.reason_code from decisions d
  where d.tenant = $1 and d.line_id = l.line_id and d.version < l.version and d.verdict = 'first_signature'
    and d.quantity <> d.quantity_before
  order by d.version desc limit 1
) a on l.verdict = 'approved'
left join catalogue i on i.tenant = $1 and i.kind = 'item' and i.identity = l.sku
where (l.verdict in ('amended', 'rejected') or l.verdict = 'approved' and a.decided_by is not null)
  and (l.decided_at at time zone 'UTC')::date > $2
order by l.decided_at desc, l.line_id limit $3
"""


async def lines(tx: Transaction, tenant: str, after: date, limit: int) -> tuple[list[Row], int]:
    """The newest of those decided after this day (UTC), and how many there are."""
    rows = as_dicts(await tx.fetch(OVERRULED, tenant, after, limit))
    total = rows[0]["total"] if rows else 0
    return [{name: value for name, value in row.items() if name != "total"} for row in rows], total
