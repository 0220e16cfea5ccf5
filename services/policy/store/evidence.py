"""Loads everything the cascade needs to know of some items, in one statement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import orjson

from kernel.distribution import DAYS
from kit.clock import on_clock
from kit.database import Transaction
from services.policy.domain.evidence import Evidence, Forecast, Hold, Item, OpenOrder, Policy, Signal, Stock, Terms
from services.policy.domain.lead_times import Deliveries
from services.policy.domain.outcome import Thresholds
from services.policy.domain.parameters import Parameters
from services.policy.store import deliveries, signals
from services.policy.store.numbers import texts

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Previous:
    """What the last plan of an item said."""

    as_of: date | None
    outcome: str
    reason: str | None
    recommendation_id: str | None
    line_id: str | None
    is_open: bool
    signature: str | None


@dataclass(frozen=True, slots=True)
class _Calendar:
    """When a supplier takes orders and delivers, and the days it is closed."""

    order_weekdays: tuple[int, ...]
    receipt_weekdays: tuple[int, ...]
    closed_on: tuple[date, ...]


NO_DELIVERIES = Deliveries()
NO_PLAN = Previous(None, "none", None, None, None, False, None)

# Terms of the location itself come before those for everywhere, then the supplier's priority, then the lower cost.
# What is still to come of an order line = what was confirmed (or ordered) minus the receipts booked against its order; what is
# still to leave for another location = what was ordered minus what was booked out for that order, as a negative quantity.
# `offset 0` has every row sought by its key: joined at PostgreSQL's own choice, all rows of the tenant were read for every chunk while
# it believed that there are few of them.
LOAD = """
select t.sku, t.location,
  s.on_hand, s.reserved, s.backorders, s.movements,
  case when d.closed_on is null then f.origin else greatest(d.closed_on, f.origin) end as as_of,
  f.forecast_id, f.origin, f.confidence, array_to_string(f.flags, ' ') as flags, f.strategy, f.model_id, f.mean_e4, f.quantiles_e2,
  i.unit, i.category, i.price, i.currency as item_currency, i.shelf_life_days, i.abc_class,
  k.abc_class as computed_class, k.xyz_class,
  i.active and not exists (select from successions q where q.tenant = $1 and q.predecessor = t.sku and q.active
    and q.effective_on <= greatest(d.closed_on, f.origin)) as item_active, i.sku is not null as has_item,
  c.supplier, c.lead_time_days, c.lead_time_sd_days, c.unit_cost, coalesce(c.currency, c.supplier_currency) as currency,
  c.moq, c.pack, c.price_breaks, c.discount, c.cut_off,
  case when c.cut_off is not null then nullif(greatest(s.moved_at, (select k.seen_at from location_clocks k
    where k.tenant = $1 and k.location = t.location)), '-infinity') end as moved_at,
  case when c.cut_off is not null then (select w.time_zone from locations w where w.tenant = $1 and w.location = t.location)
    end as time_zone,
  o.orders,
  p.as_of as plan_as_of, p.outcome, p.reason, p.recommendation_id, p.line_id, p.is_open, p.signature,
  p.hold_reason, p.hold_until
from unnest($2::text[], $3::text[]) with ordinality as t(sku, location, n)
left join lateral (select * from positions r where r.tenant = $1 and r.sku = t.sku and r.location = t.location offset 0) s on true
left join lateral (select * from forecasts r where r.tenant = $1 and r.sku = t.sku and r.location = t.location offset 0) f on true
left join products i on i.tenant = $1 and i.sku = t.sku
left join lateral (select * from item_classes r where r.tenant = $1 and r.sku = t.sku and r.location = t.location offset 0) k on true
left join lateral (select * from plans r where r.tenant = $1 and r.sku = t.sku and r.location = t.location offset 0) p on true
left join closed_days d on d.tenant = $1 and d.location = t.location
left join lateral (
  select x.*, u.cut_off, u.currency as supplier_currency
  from terms_of_supply x join suppliers u on u.tenant = $1 and u.supplier = x.supplier and u.active
  where x.tenant = $1 and x.sku = t.sku and x.location in (t.location, '*') and x.active
  order by (x.location = '*'), x.priority, x.unit_cost nulls last, x.supplier, x.told_as limit 1
) c on true
left join lateral (
  select json_agg(json_build_array(coalesce(y.order_id, y.recommendation_id), y.open::text, y.arrive_on, y.status, y.is_short)
                  order by y.arrive_on, coalesce(y.order_id, y.recommendation_id)) as orders
  from (
    select v.order_id, v.recommendation_id, coalesce(v.change_arrive_on, v.arrive_on) as arrive_on, v.status,
           coalesce(v.confirmed < v.quantity, false) and v.change_id is null as is_short,
           coalesce(v.change_quantity, v.confirmed, v.quantity) - coalesce((
             select sum(l.quantity) from ledger l where l.tenant = $1 and l.order_id = v.order_id and l.sku = v.sku
               and l.location = v.location and l.kind in ('receipt', 'transfer_in')), 0) as open
    from supply v
    where v.tenant = $1 and v.sku = t.sku and v.location = t.location and v.status not in ('received', 'cancelled')
      and v.stands_in_for is null
    union all
    select v.order_id, v.recommendation_id, v.arrive_on, 'outgoing', false,
           coalesce((select sum(l.quantity) from ledger l where l.tenant = $1 and l.order_id = v.order_id and l.sku = v.sku
               and l.location = v.from_location and l.kind = 'transfer_out'), 0) - v.quantity
    from supply v
    where v.tenant = $1 and v.sku = t.sku and v.from_location = t.location
      and v.status in ('approved', 'released', 'acknowledged', 'confirmed')
  ) y where y.open > 0 or y.status = 'outgoing' and y.open < 0
) o on true
order by t.n
"""

# Items' rows in the order of their keys. Each is sought by its whole key: of a join PostgreSQL would read all rows of the tenant for
# every chunk as long as it believes that there are few, which it does while a tenant's first run fills the table.
LOCK = (
    "select count((select 1 from {} r where r.tenant = $1 and r.sku = t.sku and r.location = t.location for update))"
    " from (select * from unnest($2::text[], $3::text[]) as u(sku, location) order by 1, 2) t"
)


async def load(
    tx: Transaction, tenant: str, items: Sequence[tuple[str, str]], policy: Policy
) -> list[tuple[Evidence, Previous]]:
    """Evidence and last plan of each item, in the given order; the items' plans are locked in a fixed order first."""
    skus, locations = [sku for sku, _location in items], [location for _sku, location in items]
    # Positions before plans, each in the order of its key, as the booking of sales takes them: no deadlock with a run.
    await tx.execute(LOCK.format("positions"), tenant, skus, locations)
    if await tx.fetchval(LOCK.format("plans"), tenant, skus, locations) == len(items):
        return await read(tx, tenant, items, policy)
    # Items that are planned for the first time, maybe by two at once: the second waits here for what the first says.
    await tx.execute(
        "insert into plans (tenant, sku, location, outcome, is_open) select $1, *, 'none', false"
        " from unnest($2::text[], $3::text[]) as t(sku, location) order by 2, 3 on conflict do nothing",
        tenant,
        skus,
        locations,
    )
    await tx.execute(LOCK.format("plans"), tenant, skus, locations)
    return await read(tx, tenant, items, policy)


async def read(
    tx: Transaction, tenant: str, items: Sequence[tuple[str, str]], policy: Policy
) -> list[tuple[Evidence, Previous]]:
    """As `load`, without locking and without leaving a trace."""
    skus, locations = [sku for sku, _location in items], [location for _sku, location in items]
    rows = await tx.fetch(LOAD, tenant, skus, locations)
    told = await _signals(tx, tenant, rows)
    pairs = [(row["supplier"], row["location"]) for row in rows]
    came = await deliveries.of_suppliers(tx, tenant, [pair for pair in pairs if pair[0] is not None])
    calendars = await _calendars(tx, tenant, {supplier for supplier, _location in pairs if supplier is not None})
    return [
        (_evidence(tenant, row, policy, told, came.get(pair, NO_DELIVERIES), calendars.get(pair[0])), _previous(row))
        for row, pair in zip(rows, pairs, strict=True)
    ]


async def _calendars(tx: Transaction, tenant: str, suppliers: Collection[str]) -> dict[str, _Calendar]:
    """The days of these suppliers, read once for all their items: the driver takes 3 us for an array."""
    if not suppliers:
        return {}
    rows = await tx.fetch(
        "select supplier, order_weekdays, receipt_weekdays, closed_on from suppliers where tenant = $1"
        " and supplier = any($2::text[])",
        tenant,
        sorted(suppliers),
    )
    return {
        row["supplier"]: _Calendar(
            tuple(row["order_weekdays"]), tuple(row["receipt_weekdays"]), tuple(row["closed_on"])
        )
        for row in rows
    }


async def _signals(tx: Transaction, tenant: str, rows: Sequence[Any]) -> list[Any]:
    """What is told about the days these items' forecasts reach; what sensing advises moves no plan."""
    days = [row["as_of"] for row in rows if row["as_of"] is not None]
    if not days:
        return []
    found = await signals.during(tx, tenant, min(days) + timedelta(days=1), max(days) + timedelta(days=DAYS))
    return [one for one in found if not one["advisory"]]


def _signals_of(row: Any, told: Sequence[Any]) -> tuple[Signal, ...]:
    """Those whose scope the item is in, and that are not over for it: an absent part of a scope means all. Closed doors that
    the forecast knows of are in its zeros; who told of them has not asked to look at every line of the place."""
    if not told:
        return ()
    as_of, knows_closing = row["as_of"], "knows_closing" in (row["flags"] or "").split()
    return tuple(
        Signal(
            one["signal_id"],
            one["kind"],
            Decimal(str(one["strength"])),
            one["probability"],
            one["starts_at"].date(),
            one["ends_at"].date(),
        )
        for one in told
        if as_of is not None
        and as_of < one["ends_at"].date()
        and (one["starts_at"].date() - as_of).days <= DAYS
        and all(one[name] is None or one[name] == row[name] for name in ("sku", "location", "category", "supplier"))
        and not (knows_closing and signals.is_closing(one))
    )


def _previous(row: Any) -> Previous:
    if row["outcome"] is None:
        return NO_PLAN
    return Previous(
        row["plan_as_of"],
        row["outcome"],
        row["reason"],
        row["recommendation_id"],
        row["line_id"],
        row["is_open"],
        row["signature"],
    )


def _evidence(
    tenant: str, row: Any, policy: Policy, told: Sequence[Any], came: Deliveries, calendar: _Calendar | None
) -> Evidence:
    return Evidence(
        tenant=tenant,
        sku=row["sku"],
        location=row["location"],
        as_of=row["as_of"],
        stock=Stock(row["on_hand"] or ZERO, row["reserved"] or ZERO, row["backorders"] or ZERO, row["movements"] or 0),
        open_orders=_open_orders(row["orders"]),
        forecast=None if row["forecast_id"] is None else _forecast(row),
        item=None if not row["has_item"] else _item(row, policy.parameters),
        terms=None if calendar is None else _terms(row, calendar),
        policy=policy,
        hold=None if row["hold_until"] is None else Hold(row["hold_reason"], row["hold_until"]),
        signals=_signals_of(row, told),
        deliveries=came,
        local_time=None if row["moved_at"] is None else on_clock(row["moved_at"], row["time_zone"]),
    )


async def zones(tx: Transaction, tenant: str, locations: Sequence[str]) -> dict[str, str]:
    """The time zones of these locations."""
    rows = await tx.fetch(
        "select location, time_zone from locations where tenant = $1 and location = any($2::text[])",
        tenant,
        sorted(set(locations)),
    )
    return {row["location"]: row["time_zone"] for row in rows}


def _open_orders(text: str | None) -> tuple[OpenOrder, ...]:
    if text is None:
        return ()
    return tuple(
        OpenOrder(order_id, Decimal(quantity), date.fromisoformat(arrive_on), status, is_short)
        for order_id, quantity, arrive_on, status, is_short in orjson.loads(text)
    )


def _forecast(row: Any) -> Forecast:
    return Forecast(
        forecast_id=row["forecast_id"],
        origin=row["origin"],
        confidence=row["confidence"],
        flags=tuple(row["flags"].split()),
        strategy=row["strategy"],
        model_id=row["model_id"],
        mean_e4=row["mean_e4"],
        quantiles_e2=row["quantiles_e2"],
    )


def _item(row: Any, rules: Parameters) -> Item:
    classes = (row["abc_class"], row["computed_class"])
    return Item(
        row["unit"],
        row["price"],
        row["item_currency"],
        row["shelf_life_days"],
        classes[0] or classes[1] if rules.class_source == "catalogue" else classes[1] or classes[0],
        row["item_active"],
        row["xyz_class"],
    )


def _terms(row: Any, calendar: _Calendar) -> Terms:
    breaks = orjson.loads(row["price_breaks"])
    return Terms(
        supplier=row["supplier"],
        lead_time_days=row["lead_time_days"],
        lead_time_sd_days=Decimal(str(row["lead_time_sd_days"])),
        unit_cost=row["unit_cost"],
        currency=row["currency"],
        moq=row["moq"],
        pack=row["pack"],
        price_breaks=tuple((Decimal(quantity), Decimal(cost)) for quantity, cost in breaks),
        discount=row["discount"],
        order_weekdays=calendar.order_weekdays,
        receipt_weekdays=calendar.receipt_weekdays,
        # Closed days long past or beyond any horizon are no evidence for this plan.
        closed_on=tuple(
            day for day in calendar.closed_on if row["as_of"] is not None and 0 < (day - row["as_of"]).days <= 200
        ),
        cut_off=row["cut_off"],
    )


async def keep_thresholds(
    tx: Transaction, tenant: str, items: Sequence[tuple[str, str]], thresholds: Sequence[Thresholds]
) -> None:
    """Write the stock levels at which each item is to be planned again; nothing for one without a position.

    Written as `plans.keep` is, and for the same reason.
    """
    await tx.execute(
        "insert into positions (tenant, sku, location, on_hand, reserved, backorders, movements, moved_at, replan_below,"
        " replan_at_or_above) select r.tenant, r.sku, r.location, r.on_hand, r.reserved, r.backorders, r.movements, r.moved_at,"
        " t.below, t.above from (select * from unnest($2::text[], $3::text[], $4::text[]::numeric[], $5::text[]::numeric[])"
        " as u(sku, location, below, above) order by 1, 2) t cross join lateral"
        " (select * from positions r where r.tenant = $1 and r.sku = t.sku and r.location = t.location offset 0) r"
        " on conflict (tenant, sku, location) do update set replan_below = excluded.replan_below,"
        " replan_at_or_above = excluded.replan_at_or_above",
        tenant,
        [sku for sku, _location in items],
        [location for _sku, location in items],
        texts(one.below for one in thresholds),
        texts(one.at_or_above for one in thresholds),
    )
