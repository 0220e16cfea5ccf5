"""The newest forecast of each item."""

from collections.abc import Sequence

from kit.database import Transaction
from schemas.forecasts import ForecastIssued
from services.policy.domain.evidence import pack_integers

UPSERT = """
insert into forecasts as f (tenant, sku, location, forecast_id, origin, revision, confidence, flags, strategy, model_id,
                            mean_e4, quantiles_e2)
select $1, sku, location, forecast_id, origin, revision, confidence, string_to_array(flags, ' '), strategy, model_id,
       mean_e4, quantiles_e2
from unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::int[], $7::numeric[], $8::text[], $9::text[], $10::text[],
            $11::bytea[], $12::bytea[])
  as t(sku, location, forecast_id, origin, revision, confidence, flags, strategy, model_id, mean_e4, quantiles_e2)
order by sku, location
on conflict (tenant, sku, location) do update set
  forecast_id = excluded.forecast_id, origin = excluded.origin, revision = excluded.revision,
  confidence = excluded.confidence, flags = excluded.flags, strategy = excluded.strategy, model_id = excluded.model_id,
  mean_e4 = excluded.mean_e4, quantiles_e2 = excluded.quantiles_e2, received_at = clock_timestamp()
where (excluded.origin, excluded.revision) >= (f.origin, f.revision) and excluded.forecast_id <> f.forecast_id
returning sku, location
"""


async def keep(tx: Transaction, tenant: str, issued: Sequence[ForecastIssued]) -> list[tuple[str, str]]:
    """Keep what is newer than what is known; returns the items that got a new forecast."""
    newest: dict[tuple[str, str], ForecastIssued] = {}
    for one in issued:
        known = newest.get((one.sku, one.location))
        if known is None or (one.origin, one.revision) >= (known.origin, known.revision):
            newest[(one.sku, one.location)] = one
    batch = list(newest.values())
    rows = await tx.fetch(
        UPSERT,
        tenant,
        [one.sku for one in batch],
        [one.location for one in batch],
        [one.forecast_id for one in batch],
        [one.origin for one in batch],
        [one.revision for one in batch],
        [one.confidence for one in batch],
        [" ".join(one.flags) for one in batch],
        [one.strategy for one in batch],
        [one.model_id for one in batch],
        [pack_integers(one.demand.mean_e4) for one in batch],
        [pack_integers(one.demand.quantiles_e2) for one in batch],
    )
    return [(row["sku"], row["location"]) for row in rows]


async def planned_before(tx: Transaction, tenant: str, items: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of these items, those whose plan of the current business date was made before this forecast came."""
    rows = await tx.fetch(
        "select p.sku, p.location from unnest($2::text[], $3::text[]) as t(sku, location)"
        " join plans p on p.tenant = $1 and p.sku = t.sku and p.location = t.location"
        " join forecasts f on f.tenant = $1 and f.sku = t.sku and f.location = t.location"
        " where p.as_of >= f.origin order by 1, 2",
        tenant,
        [sku for sku, _location in items],
        [location for _sku, location in items],
    )
    return [(row["sku"], row["location"]) for row in rows]
