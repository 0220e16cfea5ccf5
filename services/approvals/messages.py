"""Between the contracts and the rules: recommendations in, decisions and orders out."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, cast

from kit.events import Outgoing, outgoing
from kit.identity import Principal
from schemas.decisions import (
    DecisionMade,
    LineAssigned,
    LineCommented,
    OrderCancelled,
    OrderLine,
    OrderReleased,
    Verdict,
)
from schemas.recommendations import RecommendationIssued
from services.approvals.domain.lifecycle import Decision, Moment
from services.approvals.domain.line import Line, Proposal
from services.approvals.domain.matrix import demand
from services.approvals.domain.orders import Order
from services.approvals.matrix_messages import SIGNATURES

SERVICE = "approvals"
OrderKind = Literal["purchase_order", "transfer", "allocation", "change", "cancel"]


def proposal_of(issued: RecommendationIssued) -> Proposal:
    """What the rules need to know of a recommendation."""
    return Proposal(
        recommendation_id=issued.recommendation_id,
        line_id=issued.line_id,
        action=issued.action,
        origin=issued.origin,
        sku=issued.sku,
        location=issued.location,
        quantity=issued.quantity,
        unit=issued.unit,
        unit_cost=issued.unit_cost,
        value=issued.value,
        currency=issued.currency,
        order_on=issued.order_on,
        arrive_on=issued.arrive_on,
        money_at_risk=issued.money_at_risk,
        approved_by_rule=issued.approved_by_rule,
        supersedes=issued.supersedes,
        supplier=issued.supplier,
        from_location=issued.from_location,
        changes_order=issued.changes_order,
        moq=issued.moq,
        pack=issued.pack,
        stockout_on=issued.stockout_on,
        route_reasons=tuple(issued.route_reasons),
        order_until=issued.order_until,
        next_order_on=issued.next_order_on,
        next_arrive_on=issued.next_arrive_on,
    )


def decision_made(line: Line, decision: Decision) -> Outgoing:
    """The decision as the others read it. Its cause is itself: the id follows from line and version."""
    body = DecisionMade(
        tenant=line.tenant,
        decision_id=decision.decision_id,
        recommendation_id=decision.recommendation_id,
        line_id=decision.line_id,
        version=decision.version,
        verdict=cast(Verdict, decision.verdict),
        sku=line.proposal.sku,
        location=line.proposal.location,
        quantity_before=decision.quantity_before,
        quantity=decision.quantity,
        value=decision.value,
        currency=line.proposal.currency,
        decided_by=decision.by,
        role=decision.role,
        decided_at=decision.at,
        reason_code=decision.reason,
        note=decision.note,
        snoozed_until=decision.snoozed_until,
        limits=decision.limits.as_text()
        | {"matrix_version": str(decision.matrix_version)}
        | ({"asked_by": ", ".join(decision.asked_by)} if decision.asked_by else {}),
    )
    return outgoing(
        body, service=SERVICE, cause=decision.decision_id, time=decision.at, subject=decision.recommendation_id
    )


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said; `mentions` are the accounts it names."""

    comment_id: str
    text: str
    mentions: tuple[str, ...] = ()


def line_commented(line: Line, comment: Comment, by: Principal, now: datetime) -> Outgoing:
    """What somebody said about a line, as the others read it."""
    body = LineCommented(
        tenant=line.tenant,
        comment_id=comment.comment_id,
        line_id=line.line_id,
        recommendation_id=line.proposal.recommendation_id,
        sku=line.proposal.sku,
        location=line.proposal.location,
        text=comment.text,
        mentions=comment.mentions,
        commented_by=by.subject,
        role=sorted(by.roles)[0] if by.roles else by.kind,
        commented_at=now,
    )
    return outgoing(body, service=SERVICE, cause=comment.comment_id, time=now, subject=line.proposal.recommendation_id)


def line_assigned(line: Line, moment: Moment) -> Outgoing:
    """Who answers for a waiting line, as the others read it. Said again only when it is something else: the id follows from
    what it says."""
    needed = demand(moment.matrix, moment.limits, line, line.value, Decimal(0))
    due = line.due_at.isoformat() if line.due_at else ""
    body = LineAssigned(
        tenant=line.tenant,
        line_id=line.line_id,
        recommendation_id=line.proposal.recommendation_id,
        version=line.version,
        owner=line.owner,
        due_at=line.due_at,
        escalate_to=line.escalate_to,
        escalated=line.escalated,
        signatures=SIGNATURES[needed.signatures],
        asked_by=needed.codes,
        assigned_at=moment.now,
        asked_since=line.pending_since,
    )
    said = (line.line_id, line.proposal.recommendation_id, str(line.version), line.owner, due, body.signatures)
    return outgoing(
        body, service=SERVICE, cause="/".join(said), time=moment.now, subject=line.proposal.recommendation_id
    )


def order_released(tenant: str, order: Order, released_at: datetime) -> Outgoing:
    """The order as the ERP reads it."""
    body = OrderReleased(
        tenant=tenant,
        order_id=order.order_id,
        kind=cast(OrderKind, order.kind),
        supplier=order.supplier,
        from_location=order.from_location,
        changes_order=order.changes_order,
        location=order.location,
        order_on=order.order_on,
        arrive_on=order.arrive_on,
        missed_order_on=order.missed_order_on,
        currency=order.currency,
        value=order.value,
        released_at=released_at,
        lines=tuple(
            OrderLine(
                line_no=number,
                recommendation_id=line.proposal.recommendation_id,
                decision_id=line.decision_id or "",
                sku=line.proposal.sku,
                quantity=line.quantity,
                unit=line.proposal.unit,
                unit_cost=line.proposal.unit_cost,
                value=line.value,
            )
            for number, line in enumerate(order.lines, 1)
        ),
    )
    return outgoing(body, service=SERVICE, cause=order.order_id, time=released_at, subject=order.order_id)


def order_cancelled(
    tenant: str, order_id: str, by: str, at: datetime, reason: str | None, note: str | None
) -> Outgoing:
    """The order taken back, as the ERP reads it."""
    body = OrderCancelled(
        tenant=tenant,
        order_id=order_id,
        cancelled_by=by,
        cancelled_at=at,
        reason_code=reason or "other",
        note=note,
    )
    return outgoing(body, service=SERVICE, cause=order_id, time=at, subject=order_id, name="cancelled")
