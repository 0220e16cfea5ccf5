"""How the business stands, as metrics beside the pages that show the same: stock, exceptions, suppliers, what waits.

Counted from the read models of all tenants together; a metric has no label without a bound. Every instance of the gateway says
the same, so dashboards take the largest, not the sum.
"""

from collections import Counter
from datetime import timedelta
from math import nan

from kit import telemetry
from kit.clock import Clock
from kit.database import Database, Transaction
from services.gateway.store import performance, standing

SUPPLIERS_DAYS = 90
# What suppliers kept is read from every line of these days and moves slowly: in one round of so many.
SUPPLIERS_ROUNDS = 10
ITEMS = telemetry.gauge("items_standing", "Planned items by how their stock stands", ("standing",))
EXCEPTIONS = telemetry.gauge("exceptions_open", "Exceptions that wait for a person", ("kind",))
WAITING = telemetry.gauge("lines_waiting", "Recommendations that wait for a person")
UNANSWERED = telemetry.gauge("orders_unanswered", "Orders to suppliers that nobody has answered")
UNANSWERED_AGE = telemetry.gauge("orders_unanswered_oldest_age_seconds", "Since when the oldest of them was released")
OTIF = telemetry.gauge(
    "supplier_otif_ratio", f"Received order lines on time and in full, of {SUPPLIERS_DAYS} days; NaN: none"
)
FILL = telemetry.gauge("supplier_fill_rate_ratio", "Of what was ordered on these lines, what came")


class Measuring:
    """Run it again and again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._round = 0

    async def run(self) -> None:
        """Count everything, then show all of it at once."""
        with_suppliers = self._round % SUPPLIERS_ROUNDS == 0
        items: Counter[str] = Counter()
        exceptions: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        oldest = None
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                items.update(await standing.items(tx, tenant))
                exceptions.update(await standing.exceptions(tx, tenant))
                waiting, unanswered, since = await standing.waiting(tx, tenant)
                sums.update({"waiting": waiting, "unanswered": unanswered})
                if with_suppliers:
                    sums.update(await _suppliers(tx, tenant))
            oldest = min((moment for moment in (oldest, since) if moment is not None), default=None)
        for gauge, counts in ((ITEMS, items), (EXCEPTIONS, exceptions)):
            gauge.clear()
            for label, count in counts.items():
                gauge.labels(label).set(count)
        WAITING.set(sums["waiting"])
        UNANSWERED.set(sums["unanswered"])
        UNANSWERED_AGE.set((self._clock.now() - oldest).total_seconds() if oldest is not None else 0)
        if with_suppliers:
            OTIF.set(sums["otif"] / sums["received"] if sums["received"] else nan)
            FILL.set(sums["fill_rate"] / sums["filled"] if sums["filled"] else nan)
        self._round += 1


async def _suppliers(tx: Transaction, tenant: str) -> dict[str, float]:
    """Received lines, how many of them on time and in full, and fill rates weighed by lines."""
    newest = await tx.fetchval("select max(order_on) from orders where tenant = $1", tenant)
    rows = await performance.suppliers(tx, tenant, newest - timedelta(days=SUPPLIERS_DAYS)) if newest else []
    filled = [row for row in rows if row["fill_rate"] is not None]
    return {
        "received": sum(row["received"] for row in rows),
        "otif": sum(row["otif"] for row in rows),
        "filled": sum(row["received"] for row in filled),
        "fill_rate": float(sum(row["fill_rate"] * row["received"] for row in filled)),
    }
