"""Sales and stock events as ledger entries: which product, which place, what effect. Unknown names wait in the park."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kit import parking
from kit.database import Transaction
from kit.errors import Rejected
from kit.events import Outgoing, Received, derived_id, outgoing
from schemas.demand import (
    BusinessDayClosed,
    ReturnRecorded,
    SaleRecorded,
    SaleVoided,
    StockCounted,
    StockMoved,
)
from schemas.recommendations import ExceptionRaised, ExceptionResolved
from services.policy.domain.movements import check_movement
from services.policy.domain.refusal import PolicyRefusal
from services.policy.store import catalogue, exceptions, ledger, supply
from services.policy.store.ledger import Count, Movement

SERVICE = "policy"
UNRESOLVED = "unresolved_identity"


class Identities:
    """What codes mean. Known codes are remembered (a name once given is never taken away); unknown ones are asked again."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, str]] = defaultdict(dict)
        self._locations: dict[str, dict[str, str]] = defaultdict(dict)

    async def learn(self, tx: Transaction, tenant: str, skus: Iterable[str], locations: Iterable[str]) -> None:
        """Look up the codes among these that are not known yet."""
        items, places = self._items[tenant], self._locations[tenant]
        new_items = sorted({code for code in skus if code not in items})
        if new_items:
            items.update(await catalogue.resolve_items(tx, tenant, new_items))
        new_places = sorted({code for code in locations if code not in places})
        if new_places:
            places.update(await catalogue.resolve_locations(tx, tenant, new_places))

    def item(self, tenant: str, code: str) -> str | None:
        """The SKU a code stands for, if that is known."""
        return self._items[tenant].get(code)

    def location(self, tenant: str, code: str) -> str | None:
        """The location a code stands for, if that is known."""
        return self._locations[tenant].get(code)

    def forget(self, tenant: str) -> None:
        """Aliases changed: ask again."""
        self._items.pop(tenant, None)
        self._locations.pop(tenant, None)


@dataclass(frozen=True, slots=True)
class Booked:
    """What booking a batch led to: items to be planned again, and what to publish."""

    due: list[tuple[str, str]]
    says: list[Outgoing]


async def book(tx: Transaction, tenant: str, events: Sequence[Received[Any]], identities: Identities) -> Booked:
    """Book a batch. What is in the ledger already changes nothing; what names nobody knows waits, in order."""
    named = [one for one in events if not isinstance(one.body, BusinessDayClosed)]
    await identities.learn(
        tx,
        tenant,
        {one.body.sku for one in named},
        {one.body.location for one in events},
    )
    movements: list[Movement] = []
    counts: list[Count] = []
    days: list[tuple[str, date]] = []
    unknown: list[Received[Any]] = []
    for one in events:
        body = one.body
        location = identities.location(tenant, body.location)
        if isinstance(body, BusinessDayClosed):
            days.append((location or body.location, body.business_date))
            continue
        sku = identities.item(tenant, body.sku)
        if sku is None or location is None:
            unknown.append(one)
        elif isinstance(body, StockCounted):
            counts.append(Count(sku, location, one.hash, body.quantity, body.counted_at, body.business_date))
        else:
            movements.append(_movement(one, sku, location))
    due = await ledger.book(tx, tenant, movements)
    due += await ledger.book_counts(tx, tenant, counts)
    order_ids = {one.order_id for one in movements if one.order_id is not None}
    if order_ids:
        due += await supply.receiving(tx, tenant, sorted(order_ids))
    if days:
        await ledger.close_days(tx, tenant, days)
    says = await _park(tx, tenant, unknown, identities) if unknown else []
    return Booked(due, says)


def _movement(one: Received[Any], sku: str, location: str) -> Movement:
    body = one.body
    order_id = None
    if isinstance(body, SaleRecorded):
        kind, occurred_at = "sale", body.sold_at
    elif isinstance(body, ReturnRecorded):
        kind, occurred_at = ("return" if body.restocked else "scrapped_return"), body.returned_at
    elif isinstance(body, SaleVoided):
        kind, occurred_at = "void", body.voided_at
    elif isinstance(body, StockMoved):
        kind, occurred_at, order_id = body.kind, body.moved_at, body.order_id
    else:
        raise Rejected("event_unknown", f"{type(body).__name__} is no movement of stock; send it on its own topic")
    try:
        check_movement(kind, body.quantity)
    except PolicyRefusal as refusal:
        raise Rejected(
            refusal.code, f"{refusal.explanation}; correct the event and send it again", field="quantity"
        ) from None
    return Movement(sku, location, one.hash, kind, body.quantity, occurred_at, body.business_date, order_id)


async def _park(
    tx: Transaction, tenant: str, unknown: Sequence[Received[Any]], identities: Identities
) -> list[Outgoing]:
    """Let events wait for the catalogue, and tell a person once per unknown code."""
    await parking.park(tx, tenant, unknown, UNRESOLVED)
    first: dict[str, Received[Any]] = {}
    for one in unknown:
        if identities.item(tenant, one.body.sku) is None:
            first.setdefault(f"item:{one.body.sku}", one)
        if identities.location(tenant, one.body.location) is None:
            first.setdefault(f"location:{one.body.location}", one)
    ids = {subject: exception_id(tenant, subject) for subject in first}
    new = await exceptions.raise_once(tx, tenant, [(ids[subject], UNRESOLVED, subject) for subject in first])
    says = []
    for subject, one in first.items():
        if ids[subject] not in new:
            continue
        what, _, code = subject.partition(":")
        raised = ExceptionRaised(
            tenant=tenant,
            exception_id=ids[subject],
            kind="unresolved_identity",
            subject=subject[:64],
            sku=one.body.sku,
            location=one.body.location,
            says=f"Events name the {what} {code}, which the catalogue does not know; they wait.",
            remedy=f"Define the {what} {code} in the catalogue, or an alias for it; the events are then booked in order.",
            raised_on=one.body.business_date,
        )
        says.append(outgoing(raised, service=SERVICE, cause=one.envelope, time=one.envelope.time, name=subject))
    return says


def exception_id(tenant: str, subject: str) -> str:
    """The one id of an unknown code's exception."""
    return derived_id("exception", UNRESOLVED, tenant, subject)


async def release(tx: Transaction, tenant: str, keys: Sequence[str], identities: Identities, *, cause: str) -> Booked:
    """Book what waited under these record keys, and close the exceptions of codes that now have a meaning."""
    freed = await parking.release(tx, tenant, keys)
    if not freed:
        return Booked([], [])
    booked = await book(tx, tenant, freed, identities)
    subjects: dict[str, date] = {}
    for one in freed:
        if identities.item(tenant, one.body.sku) is not None:
            subjects[f"item:{one.body.sku}"] = one.body.business_date
        if identities.location(tenant, one.body.location) is not None:
            subjects[f"location:{one.body.location}"] = one.body.business_date
    ids = {exception_id(tenant, subject): subject for subject in subjects}
    says = list(booked.says)
    for identity, subject in await exceptions.resolve(tx, tenant, list(ids)):
        resolved = ExceptionResolved(
            tenant=tenant,
            exception_id=identity,
            subject=subject[:64],
            resolved_on=subjects[subject],
            says="The catalogue names it now; the events that waited are booked.",
        )
        says.append(outgoing(resolved, service=SERVICE, cause=f"{cause}:{identity}", time=freed[-1].envelope.time))
    return Booked(booked.due, says)
