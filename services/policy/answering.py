"""Suppliers' answers to a person: an exception for what comes short, late, dearer or as something else; gone when it is not."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kernel.ids import derived_id
from kit.database import Transaction
from kit.events import Outgoing, Received, outgoing
from schemas.decisions import OrderUpdated
from schemas.recommendations import ExceptionRaised, ExceptionResolved
from services.policy.domain.supplier_answers import KINDS, Finding, Ordered, Told, findings
from services.policy.store import exceptions, owners, supply

SERVICE = "policy"
# Statuses that say what will come; with the others the line is over, and nobody has to look at it any more.
PROMISES = ("confirmed", "shipped")
NOTHING = Decimal(0)


async def tell(tx: Transaction, tenant: str, answer: Received[Any]) -> list[Outgoing]:
    """Raise what is new of this answer, resolve what no longer holds."""
    body: OrderUpdated = answer.body
    ordered = await supply.ordered(tx, tenant, body.order_id)
    if body.status == "acknowledged" or not ordered:
        return []
    told = await _told(tx, tenant, body, ordered)
    found = {
        _id(tenant, body.order_id, sku, one.kind): (ordered[sku], one)
        for sku, said in told.items()
        if said is not None
        for one in findings(body.order_id, ordered[sku], said)
    }
    over = [_id(tenant, body.order_id, sku, kind) for sku in told for kind in KINDS]
    says = await _resolve(tx, tenant, [one for one in over if one not in found], answer)
    new = await exceptions.raise_once(
        tx, tenant, [(one, finding.kind, _subject(body.order_id, line.sku)) for one, (line, finding) in found.items()]
    )
    for identity, (line, finding) in found.items():
        if identity in new:
            says.append(await _raise(tx, tenant, identity, line, finding, answer))
    return says


async def close(tx: Transaction, tenant: str, order_id: str, cause: Received[Any]) -> list[Outgoing]:
    """The order was taken back: whatever was wrong with its answers is over."""
    ordered = await supply.ordered(tx, tenant, order_id)
    return await _resolve(tx, tenant, [_id(tenant, order_id, sku, kind) for sku in ordered for kind in KINDS], cause)


async def _told(
    tx: Transaction, tenant: str, body: OrderUpdated, ordered: dict[str, Ordered]
) -> dict[str, Told | None]:
    """What is said about each line; None for one that is over. An answer without lines is about all of them."""
    if body.status not in PROMISES:
        named = {one.sku for one in body.lines} or ordered.keys()
        return {sku: Told(NOTHING) if body.status == "failed" else None for sku in named if sku in ordered}
    substitutes = [one.substitute_sku for one in body.lines if one.substitute_sku is not None]
    known = await supply.known_items(tx, tenant, substitutes)
    return {
        one.sku: Told(one.quantity, one.arrive_on, one.unit_cost, one.substitute_sku, one.substitute_sku in known)
        for one in body.lines
        if one.sku in ordered
    }


async def _raise(
    tx: Transaction, tenant: str, identity: str, line: Ordered, finding: Finding, answer: Received[Any]
) -> Outgoing:
    body = answer.body
    raised = ExceptionRaised.model_validate(
        {
            "tenant": tenant,
            "exception_id": identity,
            "kind": finding.kind,
            "subject": _subject(body.order_id, line.sku),
            "sku": line.sku,
            "location": line.location,
            "supplier": line.supplier,
            "says": finding.says,
            "remedy": finding.remedy,
            "money_at_stake": finding.money,
            "currency": line.currency,
            "owner": await owners.owner_of(tx, tenant, location=line.location, supplier=line.supplier),
            "raised_on": body.business_date,
            "details": {"order_id": body.order_id, **finding.details},
        }
    )
    return outgoing(raised, service=SERVICE, cause=answer.envelope, time=answer.envelope.time, name=identity)


async def _resolve(tx: Transaction, tenant: str, ids: Sequence[str], cause: Received[Any]) -> list[Outgoing]:
    """Close those of these exceptions that are open."""
    done = await exceptions.resolve(tx, tenant, ids)
    at = cause.envelope.time
    return [
        outgoing(
            ExceptionResolved(
                tenant=tenant,
                exception_id=identity,
                subject=subject,
                resolved_on=getattr(cause.body, "business_date", at.date()),
                says="The line comes as it was ordered now, or is over.",
            ),
            service=SERVICE,
            cause=cause.envelope,
            time=at,
            name=identity,
        )
        for identity, subject in done
    ]


def _subject(order_id: str, sku: str) -> str:
    return f"order:{order_id}:{sku}"


def _id(tenant: str, order_id: str, sku: str, kind: str) -> str:
    """The one id of this kind of trouble with this line."""
    return derived_id("exception", kind, tenant, order_id, sku)
