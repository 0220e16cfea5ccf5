"""By the clock: approved lines whose undo window is over leave as orders. Safe with any number of instances, and after a kill."""

from datetime import timedelta

from kit import outbox, telemetry
from kit.clock import Clock
from kit.database import Database, Transaction
from kit.relay import Relay
from services.approvals import carry, messages
from services.approvals.domain import lifecycle
from services.approvals.domain.lifecycle import Moment
from services.approvals.domain.orders import Order, orders_due
from services.approvals.moment import now_for
from services.approvals.settings import Settings
from services.approvals.store import lines, orders, requests, terms

log = telemetry.get_logger()
RELEASED = telemetry.counter("orders_released_total", "Orders released by kind", ("kind",))
# Lines of one order may wait for each other for a minute; later than that is told apart from much later.
DELAY_BUCKETS_SECONDS = (*telemetry.LATENCY_BUCKETS_SECONDS, 65.0, 120.0, 300.0, 900.0)
DELAY = telemetry.histogram(
    "order_release_delay_seconds",
    "From the end of a line's undo window to its release in the outbox",
    (),
    DELAY_BUCKETS_SECONDS,
)
# Lines looked at in one transaction: thousands of orders in well under a second, and a bound on the locks.
LINES_MAX = 5000


class ReleaseJob:
    """Run it again and again. Everything of one tenant's release is one transaction: it happened, or it did not."""

    def __init__(self, database: Database, relay: Relay, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._relay = relay
        self._settings = settings
        self._clock = clock

    async def run(self) -> None:
        """Release what is due, tenant by tenant."""
        for tenant in await self._database.tenants():
            if await self.release(tenant):
                self._relay.wake()

    async def release(self, tenant: str) -> list[Order]:
        """Release what is due for one tenant; returns the orders."""
        async with self._database.transaction(tenant) as tx:
            now = self._clock.now()
            if not await lines.any_held_due(tx, tenant, now):
                return []
            # One instance a tenant at a time: two would split an order in two. Row locks alone keep it exactly once.
            if not await tx.fetchval(
                "select pg_try_advisory_xact_lock(hashtextextended($1, 1))", f"approvals.release.{tenant}"
            ):
                return []
            held = await lines.lock_held(tx, tenant, LINES_MAX)
            closed = await terms.business_dates(tx, tenant, (line.proposal.location for line in held))
            longest = timedelta(seconds=self._settings.group_wait_seconds_max)
            due = orders_due(held, now=now, wait_at_most=longest, closed=closed)
            await self._send(tx, tenant, due, await now_for(tx, tenant, self._settings, self._clock))
        for order in due:
            RELEASED.labels(order.kind).inc()
            for line in order.lines:
                if line.undo_until is not None:
                    DELAY.observe(max(0.0, (now - line.undo_until).total_seconds()))
            log.info("order_released", order_id=order.order_id, kind=order.kind, lines=len(order.lines))
        return due

    async def _send(self, tx: Transaction, tenant: str, due: list[Order], moment: Moment) -> None:
        released = [lifecycle.release(line, order.order_id) for order in due for line in order.lines]
        await orders.add(tx, tenant, due, moment.now)
        after, steps = await carry.end_those_behind(tx, tenant, released, moment)
        says = await carry.keep(tx, tenant, after, steps, moment)
        await outbox.enqueue(tx, [*(messages.order_released(tenant, order, moment.now) for order in due), *says])

    async def escalate(self) -> None:
        """Give lines whose time to be decided is over to whoever answers for them next."""
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                moment = await now_for(tx, tenant, self._settings, self._clock)
                overdue = await lines.lock_overdue(tx, tenant, moment.now, LINES_MAX)
                steps = [step for line in overdue if (step := lifecycle.escalate(line, moment)) is not None]
                says = await carry.keep(tx, tenant, [step.line for step in steps], steps, moment)
                await outbox.enqueue(tx, says)
            if steps:
                self._relay.wake()
                log.info("lines_escalated", lines=len(steps))

    async def forget_old_answers(self) -> None:
        """Drop stored answers of requests nobody repeats any more."""
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                await requests.forget_old(tx, tenant)
