"""The queue as pages ask for it: filtered, sorted, paged, summed up. All conditions are parameters."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.gateway.domain.lines import WAITING
from services.gateway.store.rows import Row, as_dicts, like

# Written out, so that Postgres knows at once that its index of waiting lines will do.
_IS_WAITING = "l.status in ('pending', 'awaiting_second')"
# What stands beside a line, by the letter a statement names it with; each of them finds one row or none.
_BESIDE_LINES = {
    "i": " left join catalogue i on i.tenant = $1 and i.kind = 'item' and i.identity = l.sku",
    "p": " left join catalogue p on p.tenant = $1 and p.kind = 'location' and p.identity = l.location",
    "s": " left join catalogue s on s.tenant = $1 and s.kind = 'supplier' and s.identity = l.supplier",
    "a": f" left join assignments a on a.tenant = $1 and a.line_id = l.line_id and {_IS_WAITING}",
}
_JOINED = "".join(_BESIDE_LINES.values())
FROM_LINES = f" from lines l{_JOINED}"
# What a list shows of a line: all but its derivation and projection.
_LISTED_NAMES = (
    "line_id, recommendation_id, version, status, action, sku, location, supplier, from_location, changes_order, stands_in_for, unit, on_hand,"
    " on_order, reserved, inventory_position, reorder_point, order_up_to, days_of_cover, stockout_on, stockout_probability, quantity,"
    " pack, moq, unit_cost, currency, order_on, arrive_on, money_at_risk, rank_score, gmroi, confidence, route_reasons, explanation,"
    " origin, issued_at, item_class, decided_by, decided_at, decision_reason, snoozed_until"
)
_BESIDE = (
    "i.name as item_name, i.category, i.abc_class, (i.body->>'volume_m3')::numeric as unit_volume, p.name as location_name, s.name as supplier_name,"
    " coalesce(l.decided_quantity, l.quantity) as shown_quantity, coalesce(l.decided_value, l.value) as shown_value,"
    " a.owner, coalesce(a.asked_since, a.assigned_at) as asked_since, a.due_at, a.escalated, a.signatures, a.asked_by"
)
_LISTED = ", ".join(f"l.{name.strip()}" for name in _LISTED_NAMES.split(",")) + f", {_BESIDE}"
_WHOLE = f"l.*, {_BESIDE}"
# Sort orders: expression and direction; the line id makes every order total, so that a page never repeats a row.
SORTS: dict[str, tuple[str, str]] = {
    "risk": ("l.rank_score", "desc"),
    "value": ("coalesce(l.decided_value, l.value)::double precision", "desc"),
    "stock_out": ("coalesce(extract(epoch from l.stockout_on)::double precision, 1e15)", "asc"),
    "cover": ("coalesce(l.days_of_cover, 1e15)", "asc"),
    "asked": ("coalesce(extract(epoch from coalesce(a.asked_since, a.assigned_at))::double precision, 1e15)", "asc"),
    "due": ("coalesce(extract(epoch from a.due_at)::double precision, 1e15)", "asc"),
    "item": ("coalesce(i.name, l.sku)", "asc"),
    "issued": ("extract(epoch from l.issued_at)::double precision", "desc"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person narrowed the queue down to. Empty: everything."""

    status: tuple[str, ...] = ()
    location: str | None = None
    supplier: str | None = None
    category: str | None = None
    abc_class: str | None = None
    reason: str | None = None
    action: str | None = None
    owner: str | None = None
    text: str | None = None
    value_min: Decimal | None = None
    confidence_min: float | None = None
    confidence_max: float | None = None
    line_ids: tuple[str, ...] = ()
    asked_before: datetime | None = None


@dataclass(slots=True)
class _Where:
    """Conditions joined by and, with their parameters."""

    parts: list[str] = field(default_factory=lambda: ["l.tenant = $1"])
    values: list[Any] = field(default_factory=list)

    def add(self, condition: str, value: Any) -> None:
        """`condition` names its parameter `{}`."""
        self.values.append(value)
        self.parts.append(condition.replace("{}", f"${len(self.values) + 1}"))

    @property
    def text(self) -> str:
        return " where " + " and ".join(self.parts)


def _where(filters: Filters) -> _Where:
    where = _Where()
    if filters.status == WAITING:
        where.parts.append(_IS_WAITING)
    elif filters.status:
        where.add("l.status = any({})", list(filters.status))
    if filters.line_ids:
        where.add("l.line_id = any({})", list(filters.line_ids))
    for column, value in (
        ("l.location", filters.location),
        ("l.supplier", filters.supplier),
        ("i.category", filters.category),
        ("i.abc_class", filters.abc_class),
        ("l.action", filters.action),
        ("a.owner", filters.owner),
    ):
        if value is not None:
            where.add(f"{column} = {{}}", value)
    if filters.reason is not None:
        where.add("{} = any(l.route_reasons)", filters.reason)
    if filters.text:
        where.add(
            "(i.name ilike {} or l.sku ilike {} or p.name ilike {} or l.location ilike {} or s.name ilike {})",
            like(filters.text),
        )
    if filters.value_min is not None:
        where.add("coalesce(l.decided_value, l.value) >= {}", filters.value_min)
    if filters.asked_before is not None:
        where.add("coalesce(a.asked_since, a.assigned_at) < {}", filters.asked_before)
    if filters.confidence_min is not None:
        where.add("l.confidence >= {}", filters.confidence_min)
    if filters.confidence_max is not None:
        where.add("l.confidence <= {}", filters.confidence_max)
    return where


def _from(*parts: str) -> str:
    """Lines with what these parts of a statement name beside them, and no more. Postgres leaves out a join nothing is used of,
    but still reads the columns it would have joined by: then no index alone will do, and counting 5,000 lines takes ten times
    as long."""
    named = {one for part in parts for one in re.findall(r"\b([a-z])\.", part)}
    return " from lines l" + "".join(join for letter, join in _BESIDE_LINES.items() if letter in named)


async def page(
    tx: Transaction, tenant: str, filters: Filters, *, sort: str, after: Sequence[Any] | None, limit: int
) -> list[Row]:
    """One page of lines in `sort` order behind the row `after` (sort value, line id). Rows carry `sort_value`.

    Found by what they are sorted by alone, so that thousands of lines are not carried about for the fifty that are shown.
    """
    expression, direction = SORTS[sort]
    where = _where(filters)
    if after is not None:
        sign = "<" if direction == "desc" else ">"
        # Said twice, for the index: "not before the place", and of those "not at or before the row itself".
        where.add(f"{expression} {sign}= {{}}", after[0])
        place = len(where.values) + 1
        where.add(f"({expression} {sign} ${place} or l.line_id > {{}})", after[1])
    records = await tx.fetch(
        f"select {_LISTED}, k.sort_value from (select l.line_id, {expression} as sort_value{_from(expression, where.text)}{where.text}"
        f" order by {expression} {direction}, l.line_id limit ${len(where.values) + 2}) k"
        f" join lines l on l.tenant = $1 and l.line_id = k.line_id{_JOINED} order by k.sort_value {direction}, k.line_id",
        tenant,
        *where.values,
        limit,
    )
    return as_dicts(records)


async def count(tx: Transaction, tenant: str, filters: Filters) -> int:
    where = _where(filters)
    return int(await tx.fetchval(f"select count(*){_from(where.text)}{where.text}", tenant, *where.values))


async def one(
    tx: Transaction,
    tenant: str,
    *,
    recommendation_id: str | None = None,
    line_id: str | None = None,
    whole: bool = True,
) -> Row | None:
    """A line by the id of its newest recommendation, or by its own; `whole`: with its derivation and projection."""
    columns = _WHOLE if whole else _LISTED
    column, value = ("recommendation_id", recommendation_id) if recommendation_id is not None else ("line_id", line_id)
    row = await tx.fetchrow(f"select {columns}{FROM_LINES} where l.tenant = $1 and l.{column} = $2", tenant, value)
    if row is None and recommendation_id is not None:
        # An older version of the line, known through the decision that was made about it.
        row = await tx.fetchrow(
            f"select {columns}{FROM_LINES} where l.tenant = $1 and l.line_id ="
            " (select line_id from decisions where tenant = $1 and recommendation_id = $2 limit 1)",
            tenant,
            recommendation_id,
        )
    return dict(row) if row else None


async def newest_of_item(tx: Transaction, tenant: str, sku: str, location: str) -> Row | None:
    """The line of the newest recommendation of an item, decided or not."""
    row = await tx.fetchrow(
        f"select {_WHOLE}{FROM_LINES} where l.tenant = $1 and l.sku = $2 and l.location = $3 and not l.withdrawn"
        " order by l.issued_at desc, l.line_id limit 1",
        tenant,
        sku,
        location,
    )
    return dict(row) if row else None


# All of it stands in the index `lines_summed`, so that the lines themselves, which are wide, need not be read.
_SUMMED = (
    "l.supplier, l.location, i.category, l.route_reasons, l.currency, l.money_at_risk,"
    " coalesce(l.decided_value, l.value) as value"
)
# How the filtered lines fall into groups, in one look at them; each group with what the page needs to name it.
_GROUPS = """
 select 'all' as part, null as code, null as name, count(*) as count, coalesce(sum(value), 0) as value, coalesce(sum(money_at_risk), 0) as extra,
   min(currency) as currency, null::numeric as truck from shown
 union all (select 'reason', r.code, null, sum(g.count)::bigint, null, null, null, null
   from (select route_reasons, count(*) as count from shown group by route_reasons) g cross join unnest(g.route_reasons) as r(code)
   group by r.code)
 union all (select 'supplier', g.supplier, s.name, g.count, g.value, (s.body->>'minimum_order_value')::numeric, null,
     (s.body->>'truck_volume_m3')::numeric
   from (select supplier, count(*) as count, sum(value) as value from shown group by supplier order by 3 desc, 1 limit 200) g
   left join catalogue s on s.tenant = $1 and s.kind = 'supplier' and s.identity = g.supplier)
 union all (select 'location', g.location, p.name, g.count, null, null, null, null
   from (select location, count(*) as count from shown group by location order by 2 desc, 1 limit 200) g
   left join catalogue p on p.tenant = $1 and p.kind = 'location' and p.identity = g.location)
 union all (select 'category', category, null, count(*), null, null, null, null from shown group by category order by 4 desc, 2 limit 200)
 union all (select 'status', status, null, count(*), null, null, null, null from lines where tenant = $1 group by status)
 union all select 'by_rule', null, null, count(*), null, null, null, null from lines where tenant = $1 and approved_by_rule
   and status in ('by_rule', 'released') and origin = (select max(origin) from outcomes where tenant = $1)
"""


async def summary(tx: Transaction, tenant: str, filters: Filters) -> dict[str, list[Row]]:
    """Totals of the filtered lines (`all`) and how they fall into groups: `reason`, `supplier` (extra: minimum order value; truck: m³),
    `location`, `category`, most first. Of all lines: `status`, and `by_rule` out of the newest business day."""
    where = _where(filters)
    rows = await tx.fetch(
        f"with shown as materialized (select {_SUMMED}{_from(_SUMMED, where.text)}{where.text}){_GROUPS}",
        tenant,
        *where.values,
    )
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["part"], []).append(dict(row))
    # Postgres need not keep the order of a part when it puts the parts together.
    for part, of_part in groups.items():
        most = "value" if part == "supplier" else "count"
        of_part.sort(key=lambda row: (-row[most], row["code"] is None, row["code"] or ""))
    return groups
