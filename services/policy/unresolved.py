"""One exception per code that stands for nothing, or for too much: opened when an event first waits for it, closed when
no event waits for it any more."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from kernel import gtin
from kit.database import Transaction
from kit.events import Outgoing, Received, derived_id, outgoing
from kit.identify import Unnamed, Waiting
from schemas.recommendations import ExceptionRaised, ExceptionResolved
from services.policy.store import exceptions, owners

SERVICE = "policy"
UNRESOLVED = "unresolved_identity"
SUBJECT_MAX = 200


async def open_for(tx: Transaction, tenant: str, waiting: Sequence[Waiting]) -> list[Outgoing]:
    """Tell a person, once per code, what these events wait for."""
    first: dict[str, tuple[Unnamed, Received[Any]]] = {}
    for one in waiting:
        for missing in one.unnamed:
            first.setdefault(missing.key, (missing, one.event))
    ids = {key: exception_id(tenant, key) for key in first}
    new = await exceptions.raise_once(tx, tenant, [(ids[key], UNRESOLVED, key) for key in first])
    says = []
    for key, (missing, event) in first.items():
        if ids[key] not in new:
            continue
        body = event.body
        raised = ExceptionRaised(
            tenant=tenant,
            exception_id=ids[key],
            kind="unresolved_identity",
            subject=key[:SUBJECT_MAX],
            sku=getattr(body, "sku", None),
            location=body.location,
            says=_says(missing),
            remedy=_remedy(missing),
            owner=await owners.owner_of(tx, tenant, location=body.location),
            raised_on=body.business_date,
            details={"subject": missing.subject, "code": missing.code, "candidates": list(missing.meaning.candidates)},
        )
        says.append(outgoing(raised, service=SERVICE, cause=event.envelope, time=event.envelope.time, name=key))
    return says


async def close_except(
    tx: Transaction, tenant: str, left: Sequence[Waiting], freed: Sequence[Received[Any]], *, cause: str
) -> list[Outgoing]:
    """Close the exceptions of all codes for which no event waits. The freed events tell the business date; when there
    are none (a person has dropped what waited) it is closed on the day of the act."""
    needed = {exception_id(tenant, missing.key) for one in left for missing in one.unnamed}
    still = await exceptions.open_of(tx, tenant, UNRESOLVED)
    done = await exceptions.resolve(tx, tenant, [one for one in still if one not in needed])
    newest = max(freed, key=lambda one: one.body.business_date) if freed else None
    at = newest.envelope.time if newest else datetime.now(UTC)
    says = []
    for identity, subject in done:
        resolved = ExceptionResolved(
            tenant=tenant,
            exception_id=identity,
            subject=subject[:SUBJECT_MAX],
            resolved_on=newest.body.business_date if newest else at.date(),
            says="No event waits for this code any more.",
        )
        moment = newest.envelope.id if newest else at.isoformat()
        says.append(outgoing(resolved, service=SERVICE, cause=f"{cause}:{moment}:{identity}", time=at))
    return says


def exception_id(tenant: str, subject: str) -> str:
    """The one id of an unknown code's exception."""
    return derived_id("exception", UNRESOLVED, tenant, subject)


def _says(missing: Unnamed) -> str:
    if missing.meaning.is_ambiguous:
        several = ", ".join(missing.meaning.candidates[:5])
        return f"Events name the {missing.subject} {missing.code}, which may be any of {several}; they wait."
    wrong = gtin.fault(missing.code) if gtin.looks_like(missing.code) else None
    why = f" ({wrong})" if wrong else ""
    return f"Events name the {missing.subject} {missing.code}, which the catalogue does not know{why}; they wait."


def _remedy(missing: Unnamed) -> str:
    if missing.meaning.is_ambiguous:
        return "End the aliases that are wrong, so that one is left; the events are then booked in order."
    return (
        f"Define the {missing.subject} {missing.code} in the catalogue, or an alias for it;"
        " the events are then booked in order."
    )
