"""One exception per code that stands for nothing, or for too much: opened when an event first waits for it, closed when
no event waits for it any more. Orders and customer commitments are such codes, too, but what names them may have overtaken
them, so a person is asked only once it has waited for a while."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kernel import gtin
from kernel.ids import derived_id
from kit import parking
from kit.database import Transaction
from kit.events import Outgoing, Received, outgoing
from kit.identify import UNKNOWN_COMMITMENT, Unmade, Unnamed, Waiting
from kit.names import COMMITMENT, ORDER
from kit.references import UNKNOWN_ORDER
from schemas.recommendations import ExceptionRaised, ExceptionResolved
from services.policy.store import commitments, exceptions, order_codes, owners

SERVICE = "policy"
UNRESOLVED = "unresolved_identity"
SUBJECT_MAX = 200
# What has waited so long has not overtaken what it names: only then it is a question.
OVERTAKING_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Overtaking:
    """What may wait for something that has not come yet: what that is, how an event names it, and what to ask."""

    subject: str
    code: Callable[[Any], str]
    says: str
    unknown: str
    remedy: str
    unmade: Callable[[Transaction, str, Sequence[Received[Any]]], Awaitable[Unmade]]

    def key(self, event: Received[Any]) -> str:
        """What the exception is about."""
        return f"{self.subject}:{self.code(event.body)}"


OVERTAKERS = {
    UNKNOWN_ORDER: Overtaking(
        ORDER,
        lambda answer: answer.order_id,
        "An answer names the order {}, {}; it waits, and moves nothing.",
        "which was never released here",
        "Say which order is meant, as an alias of this code; or drop this answer with the reason.",
        order_codes.unknown,
    ),
    UNKNOWN_COMMITMENT: Overtaking(
        COMMITMENT,
        lambda movement: movement.commitment_id,
        "A movement serves the customer commitment {}, {}; it waits with its item's later events.",
        "which nobody has made",
        "Say which commitment is meant, as an alias of this code; or ask its sender for the reservation or backorder that"
        " made it; or drop this movement with the reason.",
        commitments.unknown,
    ),
}


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked about a code: the first event that waits for it, in words, the way out, and what is known."""

    event: Received[Any]
    says: str
    remedy: str
    details: dict[str, Any]


async def open_for(tx: Transaction, tenant: str, waiting: Sequence[Waiting]) -> list[Outgoing]:
    """Tell a person, once per code, what these events wait for."""
    first: dict[str, tuple[Unnamed, Received[Any]]] = {}
    for one in waiting:
        for missing in one.unnamed:
            if missing.subject == COMMITMENT:
                continue
            first.setdefault(missing.key, (missing, one.event))
    asked = {
        key: Question(
            event,
            _says(missing),
            _remedy(missing),
            {"subject": missing.subject, "code": missing.code, "candidates": list(missing.meaning.candidates)},
        )
        for key, (missing, event) in first.items()
    }
    return await _ask(tx, tenant, asked)


async def open_for_overtakers(
    tx: Transaction, tenant: str, *, seconds: float = OVERTAKING_SECONDS_MAX
) -> list[Outgoing]:
    """Tell a person, once per order or commitment, what has waited for it so long that it will hardly come."""
    asked = {}
    for reason, about in OVERTAKERS.items():
        heads = await parking.heads_for(tx, tenant, reason, seconds=seconds)
        unmade = await about.unmade(tx, tenant, heads) if heads else {}
        for event in heads:
            if event.hash not in unmade:
                continue  # it is known by now, and flows with the next sweep
            code, candidates = about.code(event.body), unmade[event.hash].candidates
            why = f"which may be any of {', '.join(candidates[:5])}" if candidates else about.unknown
            details = {"subject": about.subject, "code": code, "candidates": list(candidates)}
            asked[about.key(event)] = Question(event, about.says.format(code, why), about.remedy, details)
    return await _ask(tx, tenant, asked)


async def _ask(tx: Transaction, tenant: str, asked: Mapping[str, Question]) -> list[Outgoing]:
    """Open an exception for each key of which none is open; its owner is that of the location."""
    ids = {key: exception_id(tenant, key) for key in asked}
    new = await exceptions.raise_once(tx, tenant, [(ids[key], UNRESOLVED, key) for key in asked])
    says = []
    for key, question in asked.items():
        if ids[key] not in new:
            continue
        event, body = question.event, question.event.body
        raised = ExceptionRaised(
            tenant=tenant,
            exception_id=ids[key],
            kind="unresolved_identity",
            subject=key[:SUBJECT_MAX],
            sku=getattr(body, "sku", None),
            location=body.location,
            says=question.says,
            remedy=question.remedy,
            owner=await owners.owner_of(tx, tenant, location=body.location),
            raised_on=body.business_date,
            details=question.details,
        )
        says.append(outgoing(raised, service=SERVICE, cause=event.envelope, time=event.envelope.time, name=key))
    return says


async def close_except(
    tx: Transaction, tenant: str, left: Sequence[Waiting], freed: Sequence[Received[Any]], *, cause: str
) -> list[Outgoing]:
    """Close the exceptions of all codes for which no event waits. The freed events tell the business date; when there
    are none (a person has dropped what waited) it is closed on the day of the act."""
    needed = {exception_id(tenant, missing.key) for one in left for missing in one.unnamed}
    for reason, about in OVERTAKERS.items():
        needed |= {exception_id(tenant, about.key(one)) for one in await parking.heads_for(tx, tenant, reason)}
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
