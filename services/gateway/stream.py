"""What the other services and the ERP published, carried into the read models; and what open pages are told about it.

Nothing is judged here: `domain` says what a verdict means and how a line ranks, `store` keeps it. Every handler ends in
the consumer's transaction, so a page never hears of something a reload would not show.
"""

from collections.abc import Sequence
from typing import Any

from kit import names, references
from kit.consumer import BatchConsumer, Handler
from kit.database import Transaction
from kit.events import Outgoing, Received
from schemas import topics
from schemas.base import Message
from schemas.catalogue import ReferenceAliasDefined
from schemas.decisions import DecisionMade, LineAssigned, LineCommented, OrderCancelled, OrderReleased, OrderUpdated
from schemas.forecasts import ForecastIssued, ModelPromoted
from schemas.matrix import ApprovalMatrixPublished
from schemas.recommendations import (
    ExceptionRaised,
    ExceptionResolved,
    PolicyPublished,
    RecommendationIssued,
    RecommendationWithheld,
)
from services.gateway import rows
from services.gateway.domain.lines import PENDING
from services.gateway.notices import tell
from services.gateway.store import coverage, decided, live, notices, planning, reference
from services.gateway.store.rows import amount, day, instant, plain

# A planning run changes thousands of lines at once; beyond this many in one batch a page is told to look again instead.
TOLD_ONE_BY_ONE_MAX = 100

Events = Sequence[Received[Any]]
Told = tuple[str, dict[str, Any]]


def of_type(events: Events, *kinds: type[Message]) -> list[Received[Any]]:
    return [one for one in events if isinstance(one.body, kinds)]


async def recommendations(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    """Newest outcome per item, newest recommendation per line, counts per run."""
    # A line that is ended in the batch that began it is kept, as it would be in two batches.
    issued = {one.body.line_id: one for one in events if isinstance(one.body, RecommendationIssued)}
    beside = {one.body.line_id: one for one in events if rows.is_beside(one.body)}
    events = [one for one in events if not rows.is_beside(one.body)]
    newest = {(one.body.sku, one.body.location): one for one in events}
    if issued:
        await planning.put_lines(tx, tenant, [rows.line(one) for one in issued.values()])
    ended = [line_id for line_id, one in beside.items() if isinstance(one.body, RecommendationWithheld)]
    await planning.end_lines(tx, tenant, ended)
    await planning.put_outcomes(tx, tenant, [rows.outcome(one) for one in newest.values()])
    items = [(sku, location, getattr(one.body, "line_id", None)) for (sku, location), one in newest.items()]
    replaced = await planning.withdraw(tx, tenant, items)
    counts = rows.runs(events)
    if counts:
        await planning.count_runs(tx, tenant, counts)
    await planning.settle(tx, tenant, {*issued, *replaced, *ended})
    # A line that was replaced by a fresher one of the same batch is not told: only what an item came to in the end.
    last = [*newest.values(), *beside.values()]
    told = [_recommended(one) for one in last if isinstance(one.body, RecommendationIssued)]
    told += [
        _withheld(one)
        for one in last
        if isinstance(one.body, RecommendationWithheld) and one.body.supersedes is not None
    ]
    await _tell(tx, tenant, told)
    return []


def _recommended(one: Received[RecommendationIssued]) -> Told:
    body = one.body
    data = {
        "recommendation_id": body.recommendation_id,
        "line_id": body.line_id,
        "sku": body.sku,
        "location": body.location,
        "status": PENDING,
        "action": body.action,
        "change": "changed" if body.supersedes else "new",
        "value": format(body.value, "f"),
        "money_at_risk": format(body.money_at_risk, "f"),
        "business_date": body.origin.isoformat(),
    }
    return "recommendation", data


def _withheld(one: Received[RecommendationWithheld]) -> Told:
    body = one.body
    data = {
        "recommendation_id": body.supersedes,
        "sku": body.sku,
        "location": body.location,
        "status": "withheld",
        "change": "withheld",
        "reason": body.reason,
        "message": body.says,
    }
    return "recommendation", data


async def decisions(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    """Every decision, the status of its line, who answers for the lines that wait, and what people said of them."""
    made: list[Received[DecisionMade]] = of_type(events, DecisionMade)
    assigned: list[Received[LineAssigned]] = of_type(events, LineAssigned)
    await decided.put_assignments(tx, tenant, [rows.assignment(one) for one in assigned])
    await notices.add(tx, tenant, list(tell.of_assignments(one.body for one in assigned)))
    said: list[Received[LineCommented]] = of_type(events, LineCommented)
    if said:
        await decided.put_comments(tx, tenant, [rows.comment(one) for one in said])
        await notices.add(tx, tenant, list(tell.of_mentions(one.body for one in said)))
    await decided.put_decisions(tx, tenant, [rows.decision(one) for one in made])
    changed = await planning.settle(tx, tenant, {one.body.line_id for one in made})
    status = {row["line_id"]: row["status"] for row in changed}
    told = [_decided(one.body, status.get(one.body.line_id)) for one in made]
    told += [("comment", one.body.model_dump(mode="json", exclude={"tenant"})) for one in said]
    await _tell(tx, tenant, told)
    return []


def _decided(body: DecisionMade, status: str | None) -> Told:
    """All that a list shows of a decided line, so that no open page has to ask for it."""
    data = {
        "recommendation_id": body.recommendation_id,
        "line_id": body.line_id,
        "sku": body.sku,
        "location": body.location,
        "version": body.version,
        "status": status or rows.status_after(body.verdict),
        "verdict": body.verdict,
        "quantity": plain(body.quantity),
        "value": amount(body.value),
        "decided_by": body.decided_by,
        "decided_at": instant(body.decided_at),
        "reason": body.reason_code,
        "snoozed_until": day(body.snoozed_until),
    }
    return "decision", data


async def orders(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    """Released and cancelled orders."""
    released: list[Received[OrderReleased]] = of_type(events, OrderReleased)
    cancelled: list[Received[OrderCancelled]] = of_type(events, OrderCancelled)
    if released:
        await decided.put_orders(tx, tenant, [rows.order(one) for one in released])
        await decided.find_orders(tx, tenant)
        await notices.add(tx, tenant, list(tell.of_orders(one.body for one in released)))
    if cancelled:
        await decided.put_order_updates(tx, tenant, [rows.cancellation(one) for one in cancelled])
    carried = {line.decision_id for one in released for line in one.body.lines}
    await planning.settle(tx, tenant, await decided.lines_of_decisions(tx, tenant, carried))
    told: list[Told] = [("order", rows.order_told(one.body)) for one in released]
    told += [("order", {"order_id": one.body.order_id, "status": "cancelled"}) for one in cancelled]
    await _tell(tx, tenant, told)
    return []


async def order_updates(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    """What ERP and suppliers answered, under the order it is about as far as that is known."""
    found = await references.of_answers(tx, tenant, of_type(events, OrderUpdated), decided.made_orders)
    answers: list[Received[OrderUpdated]] = [
        one._replace(body=one.body.model_copy(update={"order_id": meaning.target or one.body.order_id}))
        for one, meaning in found
    ]
    await decided.put_order_updates(tx, tenant, [rows.order_update(one) for one in answers])
    await _tell(tx, tenant, [("order", {"order_id": one.body.order_id, "status": one.body.status}) for one in answers])
    return []


async def exceptions(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    """Exceptions, raised and resolved, in the order of their topic. Settled events on it are for the audit log."""
    last: dict[str, Received[Any]] = {}
    for one in events:
        if isinstance(one.body, ExceptionRaised | ExceptionResolved):
            last[one.body.exception_id] = one
    raised = {one.body.exception_id: one for one in of_type(events, ExceptionRaised)}
    if raised:
        await reference.raise_exceptions(tx, tenant, [rows.exception(one) for one in raised.values()])
    resolved = [one for one in last.values() if isinstance(one.body, ExceptionResolved)]
    if resolved:
        await reference.resolve_exceptions(tx, tenant, [rows.resolution(one) for one in resolved])
    await _tell(tx, tenant, [("exception", rows.exception_told(one.body)) for one in last.values()])
    return []


async def forecasts(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    """Newest forecast per item, champion model per segment."""
    newest = {(one.body.sku, one.body.location): one for one in of_type(events, ForecastIssued)}
    if newest:
        await planning.put_forecasts(tx, tenant, [rows.forecast(one) for one in newest.values()])
    champions = {one.body.segment: one for one in of_type(events, ModelPromoted)}
    if champions:
        await planning.put_models(tx, tenant, [rows.model(one) for one in champions.values()])
    return []


async def catalogue(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    """Master data; within a batch the newest definition of a thing counts. Answers under another code find their order."""
    if await names.tell(tx, tenant, of_type(events, ReferenceAliasDefined)):
        await decided.find_orders(tx, tenant)
    newest: dict[tuple[str, str], Received[Any]] = {}
    for one in events:
        place = (one.body.KIND, one.body.identity())
        if place not in newest or newest[place].body.defined_at <= one.body.defined_at:
            newest[place] = one
    await reference.put_catalogue(tx, tenant, [rows.catalogue(one) for one in newest.values()])
    return []


async def signals(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    newest = {one.body.signal_id: one for one in events}
    await reference.put_signals(tx, tenant, [rows.signal(one) for one in newest.values()])
    return []


async def policies(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    published: list[Received[PolicyPublished]] = of_type(events, PolicyPublished)
    await reference.put_policies(tx, tenant, [rows.policy(one) for one in published])
    matrices: list[Received[ApprovalMatrixPublished]] = of_type(events, ApprovalMatrixPublished)
    if matrices:
        await coverage.put_matrix(tx, tenant, max((one.body for one in matrices), key=lambda one: one.version))
    return []


async def checkpoints(tx: Transaction, tenant: str, events: Events) -> list[Outgoing]:
    largest: dict[str, Received[Any]] = {}
    for one in events:
        if one.body.log_id not in largest or largest[one.body.log_id].body.size <= one.body.size:
            largest[one.body.log_id] = one
    await reference.put_checkpoints(tx, tenant, [rows.checkpoint(one) for one in largest.values()])
    return []


async def _tell(tx: Transaction, tenant: str, told: Sequence[Told]) -> None:
    if len(told) > TOLD_ONE_BY_ONE_MAX:
        told = [("changed", {"what": told[0][0], "count": len(told)})]
    await live.tell(tx, tenant, told)


def _counted(handler: Handler) -> Handler:
    """The handler, with what it changes counted, so that answers found before are not given again."""

    async def carried(tx: Transaction, tenant: str, events: Events) -> Sequence[Outgoing]:
        says = await handler(tx, tenant, events)
        await live.touch(tx, tenant)
        return says

    return carried


def attach(consumer: BatchConsumer) -> None:
    """Read every topic the catalogue gives the gateway, each with its handler, in one group."""
    consumer.on((topics.CATALOGUE,), _counted(catalogue))
    consumer.on((topics.POLICIES,), _counted(policies))
    consumer.on((topics.FORECASTS,), _counted(forecasts))
    consumer.on((topics.RECOMMENDATIONS,), _counted(recommendations))
    consumer.on((topics.DECISIONS,), _counted(decisions))
    consumer.on((topics.ORDERS,), _counted(orders))
    consumer.on((topics.ORDER_UPDATES,), _counted(order_updates))
    consumer.on((topics.EXCEPTIONS,), _counted(exceptions))
    consumer.on((topics.SIGNALS,), _counted(signals))
    consumer.on((topics.CHECKPOINTS,), _counted(checkpoints))
