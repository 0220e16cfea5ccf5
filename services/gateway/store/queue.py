"""The queue as pages ask for it: filtered, sorted, paged, summed up. All conditions are parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.gateway.store.rows import Row, as_dicts, like

FROM_LINES = (
    " from lines l"
    " left join catalogue i on i.tenant = $1 and i.kind = 'item' and i.identity = l.sku"
    " left join catalogue p on p.tenant = $1 and p.kind = 'location' and p.identity = l.location"
    " left join catalogue s on s.tenant = $1 and s.kind = 'supplier' and s.identity = l.supplier"
    " left join assignments a on a.tenant = $1 and a.line_id = l.line_id and l.status in ('pending', 'awaiting_second')"
)
COLUMNS = (
    "select l.*, i.name as item_name, i.category, i.abc_class, p.name as location_name, s.name as supplier_name,"
    " coalesce(l.decided_quantity, l.quantity) as shown_quantity, coalesce(l.decided_value, l.value) as shown_value,"
    " a.owner, a.due_at, a.escalated, a.signatures, a.asked_by"
)
# Sort orders: expression and direction; the line id makes every order total, so that a page never repeats a row.
SORTS: dict[str, tuple[str, str]] = {
    "risk": ("l.rank_score", "desc"),
    "value": ("coalesce(l.decided_value, l.value)::double precision", "desc"),
    "stock_out": ("coalesce(extract(epoch from l.stockout_on)::double precision, 1e15)", "asc"),
    "cover": ("coalesce(l.days_of_cover, 1e15)", "asc"),
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
    if filters.status:
        where.add("l.status = any({})", list(filters.status))
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
    if filters.confidence_min is not None:
        where.add("l.confidence >= {}", filters.confidence_min)
    if filters.confidence_max is not None:
        where.add("l.confidence <= {}", filters.confidence_max)
    return where


async def page(
    tx: Transaction, tenant: str, filters: Filters, *, sort: str, after: Sequence[Any] | None, limit: int
) -> list[Row]:
    """One page of lines in `sort` order behind the row `after` (sort value, line id). Rows carry `sort_value`."""
    expression, direction = SORTS[sort]
    where = _where(filters)
    if after is not None:
        sign = "<" if direction == "desc" else ">"
        where.add(f"({expression} {sign} {{}}", after[0])
        first = len(where.values) + 1
        where.values.append(after[1])
        where.parts[-1] += f" or ({expression} = ${first} and l.line_id > ${first + 1}))"
    records = await tx.fetch(
        f"{COLUMNS}, {expression} as sort_value{FROM_LINES}{where.text} order by {expression} {direction}, l.line_id"
        f" limit ${len(where.values) + 2}",
        tenant,
        *where.values,
        limit,
    )
    return as_dicts(records)


async def count(tx: Transaction, tenant: str, filters: Filters) -> int:
    where = _where(filters)
    return int(await tx.fetchval(f"select count(*){FROM_LINES}{where.text}", tenant, *where.values))


async def one(
    tx: Transaction, tenant: str, *, recommendation_id: str | None = None, line_id: str | None = None
) -> Row | None:
    """A line by the id of its newest recommendation, or by its own."""
    column, value = ("recommendation_id", recommendation_id) if recommendation_id is not None else ("line_id", line_id)
    row = await tx.fetchrow(f"{COLUMNS}{FROM_LINES} where l.tenant = $1 and l.{column} = $2", tenant, value)
    if row is None and recommendation_id is not None:
        # An older version of the line, known through the decision that was made about it.
        row = await tx.fetchrow(
            f"{COLUMNS}{FROM_LINES} where l.tenant = $1 and l.line_id ="
            " (select line_id from decisions where tenant = $1 and recommendation_id = $2 limit 1)",
            tenant,
            recommendation_id,
        )
    return dict(row) if row else None


async def newest_of_item(tx: Transaction, tenant: str, sku: str, location: str) -> Row | None:
    """The line of the newest recommendation of an item, decided or not."""
    row = await tx.fetchrow(
        f"{COLUMNS}{FROM_LINES} where l.tenant = $1 and l.sku = $2 and l.location = $3 and not l.withdrawn"
        " order by l.issued_at desc, l.line_id limit 1",
        tenant,
        sku,
        location,
    )
    return dict(row) if row else None


async def summary(tx: Transaction, tenant: str, filters: Filters) -> dict[str, Any]:
    """Totals of the filtered lines, and how they fall into groups."""
    where = _where(filters)
    values = where.values
    totals = await tx.fetchrow(
        "select count(*) as waiting, coalesce(sum(coalesce(l.decided_value, l.value)), 0) as proposed_value,"
        f" coalesce(sum(l.money_at_risk), 0) as money_at_risk, min(l.currency) as currency{FROM_LINES}{where.text}",
        tenant,
        *values,
    )
    groups: dict[str, Any] = dict(totals) if totals else {}
    groups["by_reason"] = as_dicts(
        await tx.fetch(
            f"select r.code, count(*) as count{FROM_LINES} cross join unnest(l.route_reasons) as r(code){where.text}"
            " group by r.code order by 2 desc, 1",
            tenant,
            *values,
        )
    )
    groups["by_supplier"] = as_dicts(
        await tx.fetch(
            "select l.supplier, s.name as supplier_name, count(*) as count, sum(coalesce(l.decided_value, l.value)) as value,"
            f" (s.body->>'minimum_order_value')::numeric as minimum_order_value{FROM_LINES}{where.text}"
            " group by l.supplier, s.name, s.body->>'minimum_order_value' order by 4 desc, 1 limit 200",
            tenant,
            *values,
        )
    )
    groups["by_location"] = as_dicts(
        await tx.fetch(
            f"select l.location, p.name as location_name, count(*) as count{FROM_LINES}{where.text}"
            " group by l.location, p.name order by 3 desc, 1 limit 200",
            tenant,
            *values,
        )
    )
    groups["by_category"] = as_dicts(
        await tx.fetch(
            f"select i.category, count(*) as count{FROM_LINES}{where.text} group by i.category order by 2 desc, 1 limit 200",
            tenant,
            *values,
        )
    )
    return groups


async def counts_by_status(tx: Transaction, tenant: str) -> dict[str, int]:
    rows = await tx.fetch("select status, count(*) as count from lines where tenant = $1 group by status", tenant)
    return {row["status"]: row["count"] for row in rows}


async def approved_by_rule_lately(tx: Transaction, tenant: str) -> int:
    """Lines approved by rule out of the newest business date that has any line."""
    return int(
        await tx.fetchval(
            "select count(*) from lines where tenant = $1 and status in ('by_rule', 'released') and approved_by_rule"
            " and origin = (select max(origin) from outcomes where tenant = $1)",
            tenant,
        )
    )
