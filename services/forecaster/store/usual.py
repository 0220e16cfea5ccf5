"""What is usual for every item, for live sensing: mean, variance and last sale over the last eight closed weeks."""

from kit.database import Database, scope
from services.forecaster.domain.sensing import Item, Usual

USUAL_DAYS = 56


async def usual_demand(database: Database) -> dict[Item, Usual]:
    """Of all tenants: an observing process has no single tenant, so it scopes itself to one after the other."""
    found: dict[Item, Usual] = {}
    for tenant in await database.tenants():
        async with database.transaction() as tx:
            await scope(tx, tenant)
            rows = await tx.fetch(
                "with closed as (select location, max(business_date) as day from closed_days where tenant = $1 group by 1)"
                " select d.sku, d.location, sum(d.quantity)::float8 as total, sum(d.quantity ^ 2)::float8 as squares,"
                " max(d.business_date) filter (where d.quantity > 0) as last_sale,"
                " c.day as closed_on, least($2::int, c.day - i.first_on + 1) - count(*) filter (where d.censored) as days"
                " from daily_demand d join closed c using (location)"
                " join items i on i.tenant = d.tenant and i.sku = d.sku and i.location = d.location"
                " where d.tenant = $1 and d.business_date > c.day - $2::int and d.business_date <= c.day"
                " group by d.sku, d.location, c.day, i.first_on",
                tenant,
                USUAL_DAYS,
            )
        for row in rows:
            days = max(int(row["days"]), 1)
            mean = row["total"] / days
            variance = max(row["squares"] / days - mean * mean, 0.0)
            found[(tenant, row["sku"], row["location"])] = Usual(
                mean, variance, days, row["last_sale"], row["closed_on"]
            )
    return found
