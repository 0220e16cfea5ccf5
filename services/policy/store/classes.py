"""What the ledger knows of each item's demand in a window of days, and the classes that follow from it."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.policy.domain.classes import DAYS_MIN, WINDOW_DAYS, Demanded, classes_of

LONG_SECONDS = 600.0
# A day counts as out of stock when it closed with nothing on hand. Closing stock = on hand now less what moved after the day.
# Days before an item's first movement in the window count only if it had stock then: before it is sold it has no demand.
# Lost on a day without stock = the mean of the days with stock, less what was sold that day.
DEMANDED = """
with moved as (
  select sku, location, business_date as day, sum(on_hand) as moved,
         sum(case kind when 'sale' then quantity when 'void' then -quantity else 0 end) as sold
  from ledger where tenant = $1 and business_date >= $2 group by sku, location, business_date
), closed as (
  select m.sku, m.location, m.day, m.sold, p.on_hand - coalesce(sum(m.moved) over later, 0) as stock,
         p.on_hand - coalesce(sum(m.moved) over since, 0) as opening, row_number() over since_first as nth,
         least(coalesce(lead(m.day) over since_first, $3::date + 1), $3::date + 1) - m.day - 1 as quiet
  from moved m join positions p on p.tenant = $1 and p.sku = m.sku and p.location = m.location
  window since_first as (partition by m.sku, m.location order by m.day),
         since as (partition by m.sku, m.location order by m.day rows between current row and unbounded following),
         later as (partition by m.sku, m.location order by m.day rows between 1 following and unbounded following)
), known as (
  select sku, location,
    sum(sold) as served,
    sum(sold) filter (where stock > 0) as sold_in, sum(sold * sold) filter (where stock > 0) as squares_in,
    coalesce(sum(1 + quiet) filter (where stock > 0), 0)
      + coalesce(max(day - $2::date) filter (where nth = 1 and opening > 0), 0) as days_in,
    coalesce(sum(1 + quiet) filter (where stock <= 0), 0) as days_out,
    coalesce(sum(quiet) filter (where stock <= 0), 0) as quiet_out,
    array_agg(sold) filter (where stock <= 0) as sold_out
  from closed where day <= $3 group by sku, location
), daily as (
  select *, case when days_in > 0 then greatest(coalesce(sold_in, 0), 0) / days_in else 0 end as mean from known
)
select d.sku, d.location, d.mean, greatest(d.served, 0) as served, d.days_in::int as days_in, d.days_out::int as days_out,
  sqrt(greatest(case when d.days_in > 0 then coalesce(d.squares_in, 0) / d.days_in - d.mean * d.mean else 0 end, 0)) as sd,
  d.mean * d.quiet_out + coalesce((select sum(greatest(d.mean - one, 0)) from unnest(d.sold_out) one), 0) as lost,
  greatest(d.served, 0) * coalesce(i.price, (select min(x.unit_cost) from supplier_items x
    where x.tenant = $1 and x.sku = d.sku and x.active), 0) as value
from daily d left join products i on i.tenant = $1 and i.sku = d.sku
order by d.sku, d.location
"""

KEEP = """
insert into item_classes (tenant, sku, location, abc_class, xyz_class, value, mean_units, sd_units, asked_units, served_units,
                          days_in_stock, days_out)
select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::numeric[],
                         $9::numeric[], $10::numeric[], $11::int[], $12::int[])
"""


async def refresh(tx: Transaction, tenant: str) -> bool:
    """Compute the tenant's classes for its newest closed day, unless they are; false when nothing was to be done.

    Only one process computes: the others wait for its transaction and find it done. With less than four weeks of movements
    nothing is said: an item's class would be the noise of a few days.
    """
    last = await tx.fetchval("select max(closed_on) from closed_days where tenant = $1", tenant)
    done = await tx.fetchval("select last_day from classified where tenant = $1", tenant)
    if last is None or (done is not None and done >= last):
        return False
    await tx.execute("insert into classified (tenant) values ($1) on conflict do nothing", tenant)
    done = await tx.fetchval("select last_day from classified where tenant = $1 for update", tenant)
    if done is not None and done >= last:
        return False
    first = await _first_day(tx, tenant, last - timedelta(days=WINDOW_DAYS - 1)) or last
    await tx.execute("update classified set first_day = $2, last_day = $3 where tenant = $1", tenant, first, last)
    if (last - first).days + 1 >= DAYS_MIN:
        await _compute(tx, tenant, first, last)
    return True


async def _first_day(tx: Transaction, tenant: str, earliest: date) -> date | None:
    """`earliest`, or the tenant's first day if it began later; a long ledger is not read to its beginning."""
    day: date | None = await tx.fetchval(
        "select case when exists (select from ledger where tenant = $1 and business_date <= $2) then $2"
        " else (select min(business_date) from ledger where tenant = $1) end",
        tenant,
        earliest,
    )
    return day


async def _compute(tx: Transaction, tenant: str, first: date, last: date) -> None:
    await tx.execute(
        "set local statement_timeout = 0"
    )  # once a day over a quarter's movements, before anything is locked
    rows = await tx.fetch(DEMANDED, tenant, first, last, timeout=LONG_SECONDS)
    found, classes = await asyncio.to_thread(_classified, rows)
    await tx.execute("delete from item_classes where tenant = $1", tenant)
    await tx.execute(
        KEEP,
        tenant,
        [row["sku"] for row in rows],
        [row["location"] for row in rows],
        [letters[0] for letters in classes],
        [letters[1] for letters in classes],
        [one.value for one in found],
        [one.mean_units for one in found],
        [one.sd_units for one in found],
        [one.asked_units for one in found],
        [one.served_units for one in found],
        [row["days_in"] for row in rows],
        [row["days_out"] for row in rows],
        timeout=LONG_SECONDS,
    )


def _classified(rows: Sequence[Any]) -> tuple[list[Demanded], list[str]]:
    places = Decimal("0.0001")
    found = [
        Demanded(
            str(index),
            row["value"].quantize(places),
            row["mean"].quantize(places),
            row["sd"].quantize(places),
            (row["served"] + row["lost"]).quantize(places),
            row["served"].quantize(places),
        )
        for index, row in enumerate(rows)
    ]
    classes = classes_of(found)
    return found, [classes[one.item] for one in found]


async def window(tx: Transaction, tenant: str) -> tuple[date, date] | None:
    """First and last business date the classes stand on; None before the first."""
    row = await tx.fetchrow("select first_day, last_day from classified where tenant = $1", tenant)
    return None if row is None or row["last_day"] is None else (row["first_day"], row["last_day"])


async def totals(tx: Transaction, tenant: str, *, by_catalogue: bool) -> list[dict[str, Any]]:
    """Sums of every class that has items. by_catalogue: the class the catalogue gives counts before the computed one."""
    rows = await tx.fetch(
        "select case when $2 then coalesce(i.abc_class, k.abc_class) else k.abc_class end || k.xyz_class as name,"
        " count(*) as items, count(*) filter (where k.asked_units > k.served_units) as items_short,"
        " count(*) filter (where i.abc_class <> k.abc_class) as items_otherwise,"
        " sum(k.value) as value, sum(k.asked_units) as asked, sum(k.served_units) as served,"
        " sum(k.days_in_stock) as days_in_stock, sum(k.days_out) as days_out"
        " from item_classes k left join products i on i.tenant = $1 and i.sku = k.sku where k.tenant = $1 group by 1 order by 1",
        tenant,
        by_catalogue,
    )
    return [dict(row) for row in rows]


async def of_item(tx: Transaction, tenant: str, sku: str, location: str) -> dict[str, Any] | None:
    """What is known of one item's class; None when it has none."""
    row = await tx.fetchrow(
        "select k.abc_class, k.xyz_class, k.value, k.mean_units, k.sd_units, k.asked_units, k.served_units, k.days_in_stock,"
        " k.days_out, i.abc_class as catalogue_class from item_classes k"
        " left join products i on i.tenant = $1 and i.sku = k.sku where k.tenant = $1 and k.sku = $2 and k.location = $3",
        tenant,
        sku,
        location,
    )
    return None if row is None else dict(row)
