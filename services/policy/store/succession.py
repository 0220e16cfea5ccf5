"""Products that end because another takes their place, and products that may stand in for others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kit.database import Transaction
from schemas.catalogue import SubstituteDefined, SupersessionDefined

Items = list[tuple[str, str]]


async def define(tx: Transaction, tenant: str, told: Sequence[SupersessionDefined]) -> Items:
    """Keep the newest word for each predecessor; returns the items to be planned again."""
    await tx.executemany(
        "insert into successions as s (tenant, predecessor, successor, effective_on, ratio, active, defined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, predecessor) do update set"
        " successor = excluded.successor, effective_on = excluded.effective_on, ratio = excluded.ratio,"
        " active = excluded.active, defined_at = excluded.defined_at where excluded.defined_at >= s.defined_at",
        [
            (tenant, one.predecessor, one.successor, one.effective_on, one.ratio, one.active, one.defined_at)
            for one in told
        ],
    )
    rows = await tx.fetch(
        "select sku, location from positions where tenant = $1 and sku = any($2::text[]) order by 1, 2",
        tenant,
        sorted({sku for one in told for sku in (one.predecessor, one.successor)}),
    )
    return [(row["sku"], row["location"]) for row in rows]


async def define_substitutes(tx: Transaction, tenant: str, told: Sequence[SubstituteDefined]) -> None:
    """Keep which product may stand in for which; using one needs an approval of its own."""
    await tx.executemany(
        "insert into substitutes as s (tenant, sku, substitute, ratio, rank, active, defined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, sku, substitute) do update set ratio = excluded.ratio,"
        " rank = excluded.rank, active = excluded.active, defined_at = excluded.defined_at"
        " where excluded.defined_at >= s.defined_at",
        [(tenant, one.sku, one.substitute, one.ratio, one.rank, one.active, one.defined_at) for one in told],
    )


@dataclass(frozen=True, slots=True)
class StandIn:
    """`substitute` may stand in for an item, `ratio` units for one; `covered` units of the item have approved substitutes on
    their way. `rank`: its place among the item's substitutes; `held_until`: a person refused this one before that business
    date."""

    sku: str
    location: str
    substitute: str
    rank: int
    ratio: Decimal
    covered: Decimal
    held_until: date | None


async def stand_ins(tx: Transaction, tenant: str, items: Items) -> list[StandIn]:
    """What may stand in for these items, each item's best first."""
    rows = await tx.fetch(
        "select x.sku, t.location, x.substitute, x.rank, x.ratio, b.hold_until as held_until,"
        " round(coalesce((select sum(greatest(coalesce(v.confirmed, v.quantity) - coalesce((select sum(l.quantity) from ledger l"
        " where l.tenant = $1 and l.order_id = v.order_id and l.sku = v.sku and l.location = v.location"
        " and l.kind = 'receipt'), 0), 0) / y.ratio) from supply v join substitutes y on y.tenant = $1 and y.sku = x.sku"
        " and y.substitute = v.sku where v.tenant = $1 and v.stands_in_for = x.sku and v.location = t.location"
        " and v.status not in ('received', 'cancelled', 'failed')), 0), 4) as covered"
        " from substitutes x join unnest($2::text[], $3::text[]) as t(sku, location) on t.sku = x.sku"
        " left join lines_beside b on b.tenant = $1 and b.sku = x.substitute and b.location = t.location"
        " and b.kind = 'substitute' and b.code = x.sku"
        " where x.tenant = $1 and x.active and x.substitute <> x.sku order by t.sku, t.location, x.rank, x.substitute",
        tenant,
        [sku for sku, _location in items],
        [location for _sku, location in items],
    )
    return [StandIn(**dict(row)) for row in rows]


async def shared(tx: Transaction, tenant: str, known: Sequence[StandIn]) -> list[StandIn]:
    """Those and everything else their substitutes may stand in for at the same locations, where that is more than one product;
    the order in which they are served: by rank, then by code."""
    rows = await tx.fetch(
        "select substitute, array_agg(sku) as skus from substitutes where tenant = $1 and substitute = any($2::text[])"
        " and active and sku <> substitute group by substitute having count(*) > 1",
        tenant,
        sorted({one.substitute for one in known}),
    )
    skus = {row["substitute"]: row["skus"] for row in rows}
    places = {(one.substitute, one.location) for one in known if one.substitute in skus}
    items = sorted({(sku, location) for substitute, location in places for sku in skus[substitute]})
    found = await stand_ins(tx, tenant, items) if items else []
    rivals = [one for one in found if (one.substitute, one.location) in places]
    return sorted(rivals, key=lambda one: (one.substitute, one.location, one.rank, one.sku))
