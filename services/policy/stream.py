"""Topics in, positions and plans out. Every judgement is in `domain`; this file only carries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from kit import names, parking, references
from kit.consumer import BatchConsumer
from kit.database import Database, Transaction
from kit.events import Outgoing, Received
from kit.outbox import enqueue
from schemas.catalogue import (
    ChannelDefined,
    ItemDefined,
    LocationDefined,
    OwnerScopeDefined,
    ReferenceAliasDefined,
    SubstituteDefined,
    SupersessionDefined,
    SupplierDefined,
    SupplierItemDefined,
)
from schemas.decisions import APPROVALS, DecisionMade, OrderCancelled, OrderReleased, OrderUpdated
from schemas.forecasts import ForecastIssued
from schemas.recommendations import PolicyPublished
from schemas.signals import SignalObserved
from schemas.topics import CATALOGUE, DECISIONS, FORECASTS, ORDER_UPDATES, ORDERS, POLICIES, SALES, SIGNALS, STOCK
from services.policy import answering, beside_lines, demand, unresolved
from services.policy.planned import Planned
from services.policy.planner import current_policy, plan_items
from services.policy.store import (
    allotments,
    catalogue,
    deliveries,
    forecasts,
    order_changes,
    order_codes,
    owners,
    plans,
    policies,
    signals,
    succession,
    supplier_codes,
    supply,
)


@dataclass(frozen=True, slots=True)
class _Found:
    """What has found its order: items to be planned again, what to publish, answers, and receipts by their former codes."""

    due: list[tuple[str, str]] = field(default_factory=list)
    says: list[Outgoing] = field(default_factory=list)
    answers: list[OrderUpdated] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    came: list[deliveries.Came] = field(default_factory=list)


class Stream:
    """The handlers of one process, and what it remembers of names between batches.

    In a replay nothing is planned: what was planned when the events came first has been said, and stays as it is.
    """

    def __init__(self, *, is_replay: bool = False) -> None:
        self._names = names.Names()
        self._is_replay = is_replay

    async def _plan(self, tx: Transaction, tenant: str, items: Sequence[tuple[str, str]]) -> Planned:
        return Planned() if self._is_replay else await plan_items(tx, tenant, items)

    async def book(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Sales and stock: move positions; plan at once what crossed the stock level of its last plan."""
        booked = await demand.book(tx, tenant, events, self._names)
        planned = await self._plan(tx, tenant, booked.due)
        await deliveries.came(tx, tenant, booked.came)  # after the plan: its rows are locked last everywhere
        return [*booked.says, *planned.says]

    async def define(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Master data; events that waited for a name are booked now. The first word of a tenant gives it a policy."""
        _policy, says = await current_policy(tx, tenant)
        bodies = [one.body for one in events]
        await catalogue.define_items(tx, tenant, [one for one in bodies if isinstance(one, ItemDefined)])
        await catalogue.define_locations(tx, tenant, [one for one in bodies if isinstance(one, LocationDefined)])
        await catalogue.define_suppliers(tx, tenant, [one for one in bodies if isinstance(one, SupplierDefined)])
        await catalogue.define_terms(tx, tenant, [one for one in bodies if isinstance(one, SupplierItemDefined)])
        await owners.define(tx, tenant, [one for one in bodies if isinstance(one, OwnerScopeDefined)])
        await catalogue.define_channels(tx, tenant, [one for one in bodies if isinstance(one, ChannelDefined)])
        substitutes = [one for one in bodies if isinstance(one, SubstituteDefined)]
        if substitutes:
            await succession.define_substitutes(tx, tenant, substitutes)
        replaced = [one for one in bodies if isinstance(one, SupersessionDefined)]
        if replaced:
            planned = await self._plan(tx, tenant, await succession.define(tx, tenant, replaced))
            says += planned.says
        if await names.tell(tx, tenant, events):
            await supplier_codes.settle(tx, tenant, self._names)
            if any(isinstance(one, ReferenceAliasDefined) for one in bodies):
                says += await self._find_orders(tx, tenant)
            says += await self.free(tx, tenant, cause=events[-1].envelope.id)
        return says

    async def free(self, tx: Transaction, tenant: str, *, cause: str) -> list[Outgoing]:
        """Book the parked events whose names are clear by now, in the order they came."""
        booked = await demand.free(tx, tenant, self._names, cause=cause)
        planned = await self._plan(tx, tenant, booked.due)
        await deliveries.came(tx, tenant, booked.came)
        return [*booked.says, *planned.says]

    async def heed(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Promotions, price changes and other signals: keep them; what they are about is planned again."""
        told = [(one.body, one.envelope.time) for one in events if isinstance(one.body, SignalObserved)]
        planned = await self._plan(tx, tenant, await signals.keep(tx, tenant, told))
        return planned.says

    async def foresee(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Forecasts: keep the newest; an item whose plan of the day is older than its forecast is planned again."""
        issued = [one.body for one in events if isinstance(one.body, ForecastIssued)]
        if not issued:
            return []
        renewed = await forecasts.keep(tx, tenant, issued)
        planned = await self._plan(tx, tenant, await forecasts.planned_before(tx, tenant, renewed))
        return planned.says

    async def rule(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Policy versions: keep them; the next plan of each item follows the newest."""
        for one in events:
            if isinstance(one.body, PolicyPublished):
                await policies.keep(tx, tenant, one.body)
        return []

    async def decide(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Decisions and orders: what is approved is on its way, what a person refused is not proposed again at once."""
        due: list[tuple[str, str]] = []
        says: list[Outgoing] = []
        answers: list[OrderUpdated] = []
        for one in events:
            if isinstance(one.body, DecisionMade):
                due += await self._decision(tx, tenant, one.body)
            elif isinstance(one.body, OrderReleased):
                due += await self._release(tx, tenant, one.body)
                freed = await parking.release(tx, tenant, [one.body.order_id])
                freed = await references.hear(tx, tenant, freed, order_codes.made)
                moved, told = await self._hear(tx, tenant, freed)
                due, says = [*due, *moved], [*says, *told]
                answers += [waiting.body for waiting in freed]
            elif isinstance(one.body, OrderCancelled):
                due += await supply.cancel(tx, tenant, one.body.order_id)
                due += await order_changes.cancel(tx, tenant, one.body.order_id)
                says += [] if self._is_replay else await answering.close(tx, tenant, one.body.order_id, one)
        orders = [one.body for one in events if isinstance(one.body, OrderReleased)]
        found = await self._find(tx, tenant) if orders else _Found()
        planned = await self._plan(tx, tenant, due + found.due)
        await deliveries.ordered(tx, tenant, [one for one in orders if one.kind == "purchase_order"])
        await deliveries.answered(tx, tenant, [*answers, *found.answers])
        await deliveries.came_under_codes(tx, tenant, found.codes, found.came)
        return [*says, *found.says, *planned.says]

    async def _release(self, tx: Transaction, tenant: str, order: OrderReleased) -> list[tuple[str, str]]:
        """What is ordered is on its way; what changes an order changes what is on its way."""
        if order.kind in ("change", "cancel"):
            return await order_changes.release(tx, tenant, order)
        return await supply.release(tx, tenant, order)

    async def _answer(self, tx: Transaction, tenant: str, answer: OrderUpdated) -> list[tuple[str, str]]:
        """What an answer moved: its order, or what changes one."""
        if await supply.is_known(tx, tenant, answer.order_id):
            return await supply.update(tx, tenant, answer)
        return await order_changes.answer(tx, tenant, answer)

    async def _hear(
        self, tx: Transaction, tenant: str, answers: Sequence[Received[Any]]
    ) -> tuple[list[tuple[str, str]], list[Outgoing]]:
        """What answers to known orders move, and what of them a person has to know."""
        moved: list[tuple[str, str]] = []
        says: list[Outgoing] = []
        for one in answers:
            moved += await self._answer(tx, tenant, one.body)
            says += await self._tell(tx, tenant, one)
        return moved, says

    async def _find(self, tx: Transaction, tenant: str) -> "_Found":
        """Answers that waited for an order that is known by now, and receipts that were booked before it was.

        An alias may say which one a code means; and one process may put an answer aside in the moment in which another
        books its order: neither sees yet what the other does, and the order comes only once.
        """
        heard = await references.free(tx, tenant, order_codes.made)
        moved, says = await self._hear(tx, tenant, heard)
        settled = await order_codes.settle(tx, tenant)
        return _Found(moved + settled.due, says, [one.body for one in heard], settled.codes, settled.came)

    async def _find_orders(self, tx: Transaction, tenant: str) -> list[Outgoing]:
        """As `_find`, and plan what that moves."""
        found = await self._find(tx, tenant)
        planned = await self._plan(tx, tenant, found.due)
        await deliveries.answered(tx, tenant, found.answers)
        await deliveries.came_under_codes(tx, tenant, found.codes, found.came)
        return [*found.says, *planned.says]

    async def _tell(self, tx: Transaction, tenant: str, answer: Received[Any]) -> list[Outgoing]:
        """What of an answer a person has to know."""
        return [] if self._is_replay else await answering.tell(tx, tenant, answer)

    async def _decision(self, tx: Transaction, tenant: str, decision: DecisionMade) -> list[tuple[str, str]]:
        ours = await plans.recommended(tx, tenant, decision.recommendation_id)
        if ours is None:
            return []  # a line of another origin (an urgent order of a person): its order will tell
        if ours["action"] != "buy":
            return await beside_lines.decide(tx, tenant, ours, decision, is_replay=self._is_replay)
        item = (ours["sku"], ours["location"])
        if not self._is_replay:
            await _change_plan(tx, tenant, item, decision, ours["quantity"])
        if decision.verdict in APPROVALS:
            if not self._is_replay:
                await allotments.spend(tx, tenant, *item)
            return await supply.approve(tx, tenant, decision)
        if decision.verdict == "undone":
            await supply.withdraw(tx, tenant, decision.recommendation_id)
            return [item]
        if decision.verdict in ("expired", "recalled"):
            return [item, *await supply.withdraw(tx, tenant, decision.recommendation_id)]
        return []

    async def update(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Answers to orders: quantities and dates move; an answer that overtook its order waits for it."""
        answers = [one for one in events if isinstance(one.body, OrderUpdated)]
        heard = await references.hear(tx, tenant, answers, order_codes.made)
        moved, says = await self._hear(tx, tenant, heard)
        planned = await self._plan(tx, tenant, moved)
        await deliveries.answered(tx, tenant, [one.body for one in heard])
        return [*says, *planned.says]

    async def sweep(self, database: Database) -> None:
        """Book parked events that another process' catalogue events or orders have set free (it could not see them yet); tell
        of what has waited long for an order or a commitment."""
        for tenant in await database.tenants():
            async with database.transaction(tenant) as tx:
                says = await self._find_orders(tx, tenant)
                says += await self.free(tx, tenant, cause="sweep")
                says += await unresolved.open_for_overtakers(tx, tenant)
                if says:
                    await enqueue(tx, says)


async def _change_plan(
    tx: Transaction, tenant: str, item: tuple[str, str], decision: DecisionMade, recommended: Decimal
) -> None:
    """What a decision does to the item's plan: its line ends or comes back, and it may be held for a while."""
    if decision.verdict in APPROVALS:
        await plans.close_line(tx, tenant, *item, decision.line_id)
        if decision.quantity < recommended:
            await plans.hold(tx, tenant, *item, "decided_today", None)
    elif decision.verdict == "undone":
        await plans.reopen(tx, tenant, decision.recommendation_id)
        await plans.unhold(tx, tenant, *item)
    elif decision.verdict == "rejected":
        await plans.close_line(tx, tenant, *item, decision.line_id)
        await plans.hold(tx, tenant, *item, "rejected_today", None)
    elif decision.verdict == "snoozed":
        await plans.hold(tx, tenant, *item, "snoozed", decision.snoozed_until)
    elif decision.verdict == "returned":
        await plans.unhold(tx, tenant, *item)
    elif decision.verdict in ("expired", "recalled"):
        await plans.close_line(tx, tenant, *item, decision.line_id)


def attach(consumer: BatchConsumer, stream: Stream) -> None:
    """Register the handlers. All of them use the inbox, so that an id means one event here as it does everywhere.

    Master data and policies are read first after a start, so that sales do not wait for names that are there already.
    """
    consumer.on((CATALOGUE,), stream.define, first=True)
    consumer.on((POLICIES,), stream.rule, first=True)
    consumer.on((SIGNALS,), stream.heed)
    consumer.on((FORECASTS,), stream.foresee)
    consumer.on((ORDERS, DECISIONS), stream.decide)
    consumer.on((ORDER_UPDATES,), stream.update)
    consumer.on((SALES, STOCK), stream.book, check=demand.check)
