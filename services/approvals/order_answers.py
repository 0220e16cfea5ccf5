"""What ERP and suppliers answer to released orders: moves orders along, ends their lines. Judged by what was ordered.

A line of the queue stands for an item, not for an order: it may have gone on to the item's next recommendation while the
goods of the last are still on their way. So an answer is held against the lines of the order, and closes the line of the
queue only where that still stands for the order.
"""

from collections.abc import Sequence
from typing import Any

from kit import deadletters, references
from kit.clock import Clock
from kit.database import Database, Transaction
from kit.errors import Rejected
from kit.events import Outgoing, Received
from schemas.decisions import OrderUpdated
from services.approvals.domain import lifecycle
from services.approvals.domain.line import State
from services.approvals.messages import SERVICE
from services.approvals.store import lines, orders

# The way of an order to its end. Updates may come late and out of order: an order never goes back on this way.
STATUS_ORDER = ("released", "acknowledged", "confirmed", "shipped", "failed", "received", "cancelled")


class OrderAnswers:
    """The handler, with the clock that dates what it writes down.

    In a replay the queue's lines are left as they are: they were closed when the answers came first.
    """

    def __init__(self, clock: Clock, *, is_replay: bool = False) -> None:
        self._clock = clock
        self._is_replay = is_replay

    async def update_orders(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Move orders along, and close the lines whose goods are received. An answer to an order that was never released
        here waits, as it does at policy, which asks a person about it. Raises Rejected: unknown_order_line."""
        answers = [event for event in events if isinstance(event.body, OrderUpdated)]
        for heard in await references.hear(tx, tenant, answers, orders.made):
            await self._update_order(tx, tenant, heard.body)
        return []

    async def free(self, tx: Transaction, tenant: str) -> list[Outgoing]:
        """Hear the answers that waited and whose order is known by now. One about a line that was not ordered dies."""
        letters = []
        for heard in await references.free(tx, tenant, orders.made):
            try:
                await self._update_order(tx, tenant, heard.body)
            except Rejected as error:
                letters.append(deadletters.refused(heard, SERVICE, error))
        return letters

    async def sweep(self, database: Database) -> None:
        """Hear the answers whose order was released, or told another code of, while they were put aside."""
        for tenant in await database.tenants():
            async with database.transaction(tenant) as tx:
                await deadletters.enqueue(tx, await self.free(tx, tenant))

    async def _update_order(self, tx: Transaction, tenant: str, update: OrderUpdated) -> None:
        order = await orders.lock(tx, tenant, update.order_id)
        assert order is not None, "only answers to orders that were released are heard"
        ordered = await orders.skus_of(tx, tenant, update.order_id)
        _demand_known_lines(update, ordered)
        reached: str = update.status
        changed = order["changes_order"]
        if changed is not None and update.status == "confirmed":
            # A change is done when the other side agrees to it; there is nothing to receive.
            await self._close(tx, tenant, update.order_id, ordered)
            if order["kind"] == "cancel":
                await self._cancel_lines(tx, tenant, changed, ordered)
        elif update.status == "received":
            received = {line.sku for line in update.lines} or ordered
            reached = await self._end(tx, tenant, update.order_id, ordered, received, "received") or "shipped"
        await self._reach(tx, tenant, update.order_id, order["status"], reached)

    async def _cancel_lines(self, tx: Transaction, tenant: str, order_id: str, skus: set[str]) -> None:
        """End what the other side agreed not to send of an order; an order from elsewhere has nothing to end here."""
        order = await orders.lock(tx, tenant, order_id)
        if order is None:
            return
        ordered = await orders.skus_of(tx, tenant, order_id)
        came_to = await self._end(tx, tenant, order_id, ordered, skus & ordered, "cancelled")
        if came_to is not None:
            await self._reach(tx, tenant, order_id, order["status"], came_to)

    async def _end(
        self, tx: Transaction, tenant: str, order_id: str, ordered: set[str], skus: set[str], how: str
    ) -> str | None:
        """End these lines of an order. What the whole order came to, when none of its lines is open any more."""
        hows = await orders.end_lines(tx, tenant, order_id, sorted(skus), how, self._clock.now())
        await self._close(tx, tenant, order_id, skus)
        if set(hows) != ordered:
            return None
        return "received" if "received" in hows.values() else "cancelled"

    async def _close(self, tx: Transaction, tenant: str, order_id: str, skus: set[str]) -> None:
        if self._is_replay:
            return
        standing = await lines.lock_of_order(tx, tenant, order_id)
        over = [line for line in standing if line.state is State.RELEASED and line.proposal.sku in skus]
        await lines.save(tx, [lifecycle.close(line) for line in over])

    async def _reach(self, tx: Transaction, tenant: str, order_id: str, status: str, reached: str) -> None:
        if STATUS_ORDER.index(reached) > STATUS_ORDER.index(status):
            await orders.set_status(tx, tenant, order_id, reached, self._clock.now())


def _demand_known_lines(update: OrderUpdated, ordered: set[str]) -> None:
    """An answer about something that was not ordered is for a person. Raises Rejected naming the line."""
    for place, line in enumerate(update.lines):
        if line.sku not in ordered:
            raise Rejected(
                "unknown_order_line",
                f"order {update.order_id} has no line for {line.sku}; name the sku that was ordered (what came instead of it"
                " belongs in substitute_sku), then send it again",
                field=f"lines.{place}.sku",
            )
