"""Published recommendations with what the ledger knows of their items on the days after them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import orjson

from kit.database import Transaction
from kit.packing import unpack
from services.policy.domain.decided_line import Day

PUBLISHED = """
select r.recommendation_id, r.sku, r.location, r.quantity, r.document, c.closed_on, coalesce(p.on_hand, 0) as on_hand
from recommendations r
left join closed_days c on c.tenant = $1 and c.location = r.location
left join positions p on p.tenant = $1 and p.sku = r.sku and p.location = r.location
where r.tenant = $1 and r.recommendation_id = any($2::text[])
"""
# Sold as the classes reckon it; closing stock = on hand now less what moved after the day.
MOVED = """
select w.n, l.business_date as day, sum(l.on_hand) as moved,
       sum(case l.kind when 'sale' then l.quantity when 'void' then -l.quantity else 0 end) as sold
from unnest($2::text[], $3::text[], $4::date[]) with ordinality w(sku, location, after, n)
join ledger l on l.tenant = $1 and l.sku = w.sku and l.location = w.location and l.business_date > w.after
group by w.n, l.business_date
"""
SECONDS = 60.0
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Known:
    """A recommendation as published, and its item's closed days since, from the day after its evidence on."""

    document: dict[str, Any]
    days: tuple[Day, ...]


async def known(tx: Transaction, tenant: str, identities: Sequence[str]) -> dict[str, Known]:
    """What is kept of these recommendations, by their ids; those of another origin are not there."""
    rows = await tx.fetch(PUBLISHED, tenant, list(identities))
    documents = [orjson.loads(unpack(row["document"])) for row in rows]
    after = [date.fromisoformat(one["origin"]) for one in documents]
    moved: defaultdict[int, dict[date, tuple[Decimal, Decimal]]] = defaultdict(dict)
    asked = [row["sku"] for row in rows], [row["location"] for row in rows], after
    for one in await tx.fetch(MOVED, tenant, *asked, timeout=SECONDS):
        moved[one["n"] - 1][one["day"]] = one["moved"], one["sold"]
    return {
        row["recommendation_id"]: Known(document, _days(moved[n], row["on_hand"], after[n], row["closed_on"]))
        for n, (row, document) in enumerate(zip(rows, documents, strict=True))
    }


def _days(
    moved: dict[date, tuple[Decimal, Decimal]], on_hand: Decimal, after: date, last: date | None
) -> tuple[Day, ...]:
    """Walked back from what is on hand now; days on which nothing moved closed as the day before them did."""
    if last is None or last <= after:
        return ()
    stock = on_hand - sum((units for day, (units, _sold) in moved.items() if day > last), ZERO)
    days = list[Day]()
    for number in range((last - after).days, 0, -1):
        units, sold = moved.get(after + timedelta(days=number), (ZERO, ZERO))
        days.append(Day(max(sold, ZERO), stock <= 0))
        stock -= units
    return tuple(reversed(days))
