"""Sales, stock and catalogue in; daily demand, closed days and due forecasts out. Judgement is in `domain.booking`.

Nothing is forecast here: a close leaves a row in `due_closings` in the same transaction, and `worker` forecasts it
beside the consuming, so that events never wait for a model.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from kit import names, parking
from kit.clock import zone_of
from kit.consumer import BatchConsumer
from kit.database import Database, Transaction
from kit.errors import Rejected
from kit.events import Outgoing, Received
from kit.identify import Named, identify, unnamed
from schemas.catalogue import ItemDefined, LocationDefined, SupersessionDefined, SupplierItemDefined
from schemas.demand import BusinessDayClosed, ReturnRecorded, SaleRecorded, SaleVoided, StockCounted, StockMoved
from schemas.signals import SignalObserved
from schemas.topics import CATALOGUE, SALES, SIGNALS, STOCK
from services.forecaster.domain.booking import WHOLE_LOCATION, Close, Fact, Item, Kind, book, without_corrections
from services.forecaster.domain.calendars import Place
from services.forecaster.store import accuracy, catalogue, demand, signals, succession

# A till whose clock is ahead, or a time zone east of UTC, closes "tomorrow"; the day after that is a mistake.
CLOSE_AHEAD_MAX = timedelta(days=1)
NOON = 12
# What a movement does to the shelf; reservations and backorders change promises, not stock.
DIRECTION = {"receipt": 1, "shipment": -1, "transfer_out": -1, "transfer_in": 1, "adjustment": 1}


class Intake:
    """The handlers. `wake` is called when forecasts became due, so that the worker need not wait for its turn.

    In a replay nothing becomes due and no correction is counted again: that happened when the events came first.
    """

    def __init__(self, wake: Callable[[], None], *, is_replay: bool = False) -> None:
        self._wake = wake
        self._is_replay = is_replay
        self._names = names.Names()
        self._known = demand.KnownItems()
        self._has_freed = False

    async def sales(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Book sales, voids and returns; close days."""
        named, _waiting = await identify(tx, tenant, events, self._names)
        # A transaction that has booked freed events before: what it inserted may still be rolled back, so this booking
        # must not take it for known.
        known = demand.KnownItems() if self._has_freed else self._known
        self._has_freed = False
        await self._book(tx, tenant, named, known)
        return []

    async def _book(self, tx: Transaction, tenant: str, named: Sequence[Named], known: demand.KnownItems) -> None:
        entries = [
            # `isinstance` asks pydantic's metaclass, which costs as much as the rest of the line.
            _close(one, place) if type(one.body) is BusinessDayClosed else _fact(one, sku, place)
            for one, sku, place in named
        ]
        closed = await demand.closed_days(tx, tenant, sorted({entry.location for entry in entries}))
        booking = book(entries, {} if self._is_replay else closed)
        if self._is_replay:
            booking = without_corrections(booking)
        await demand.add(tx, tenant, booking, known, due=not self._is_replay)
        if booking.closes or booking.corrected:
            self._wake()

    async def stock(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Keep what the stock-out flag needs: net movements by day, and counts."""
        named, _waiting = await identify(tx, tenant, events, self._names)
        await self._move(tx, tenant, named)
        return []

    async def _move(self, tx: Transaction, tenant: str, named: Sequence[Named]) -> None:
        counted = any(isinstance(one.body, StockCounted) for one, _, _ in named)
        known = await catalogue.places(tx, tenant) if counted else {}
        net: dict[tuple[str, str, date], Decimal] = {}
        counts: dict[tuple[str, str, date], tuple[Decimal, datetime, bool]] = {}
        items: dict[tuple[str, str], tuple[int, date]] = {}
        for one, sku, location in named:
            body = one.body
            key = (sku, location, body.business_date)
            first = items.get((sku, location))
            if first is None or body.business_date < first[1]:
                items[(sku, location)] = (one.partition, body.business_date)
            if isinstance(body, StockCounted):
                before = counts.get(key)
                if before is None or body.counted_at >= before[1]:
                    zone = zone_of(known.get(location, Place()).time_zone)
                    opening = body.counted_at.astimezone(zone).hour < NOON
                    counts[key] = (body.quantity, body.counted_at, opening)
            elif isinstance(body, StockMoved) and body.kind in DIRECTION:
                net[key] = net.get(key, Decimal(0)) + DIRECTION[body.kind] * body.quantity
        if items:
            await demand.add_items(tx, tenant, [(*key, *items[key]) for key in sorted(items)])
        await demand.move_stock(tx, tenant, net)
        await demand.count_stock(tx, tenant, counts)
        late = _late(named, await demand.last_closes(tx, tenant, sorted({place for _, _, place in named})))
        if late and not self._is_replay:
            await demand.due_items(tx, tenant, late)
            self._wake()

    async def catalogue(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Learn codes; take up the events that waited for them."""
        items = [one.body for one in events if isinstance(one.body, ItemDefined)]
        places = [one.body for one in events if isinstance(one.body, LocationDefined)]
        terms = [one.body for one in events if isinstance(one.body, SupplierItemDefined)]
        if terms:
            await accuracy.define_terms(tx, tenant, [_terms(body) for body in terms])
        if items:
            rows = [
                (body.sku, body.category, body.abc_class, body.price, body.active, body.defined_at) for body in items
            ]
            await catalogue.define_items(tx, tenant, rows)
        if places:
            lie = [
                (body.location, zone_of(body.time_zone).key, body.country, body.region, body.active, body.defined_at)
                for body in places
            ]
            await catalogue.define_locations(tx, tenant, lie)
        replaced = [one for one in events if isinstance(one.body, SupersessionDefined)]
        if replaced:
            told = [(one.body, one.envelope.id, one.envelope.time) for one in replaced]
            await succession.define(tx, tenant, told, due=not self._is_replay)
            self._wake()
        if await names.tell(tx, tenant, events):
            await self.free(tx, tenant)
        return []

    async def heed(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Promotions, price changes and other signals: keep them; what they are about is forecast again."""
        told = [one for one in events if isinstance(one.body, SignalObserved)]
        rows = [(one.body, one.envelope.id, one.envelope.time) for one in told]
        await signals.keep(tx, tenant, rows, due=not self._is_replay)
        if any(not one.body.advisory for one in told):
            self._wake()
        return []

    async def free(self, tx: Transaction, tenant: str) -> list[Outgoing]:
        """Book the parked events whose names are known by now, in the order they came."""
        heads = await unnamed(tx, tenant, await parking.heads(tx, tenant), self._names)
        freed = await parking.release(tx, tenant, [one.event.envelope.key for one in heads if not one.unnamed])
        if freed:
            named, _waiting = await identify(tx, tenant, freed, self._names)
            self._has_freed = True
            await self._book(tx, tenant, [one for one in named if one[0].topic == SALES], demand.KnownItems())
            await self._move(tx, tenant, [one for one in named if one[0].topic == STOCK])
        return []

    async def sweep(self, database: Database) -> None:
        """Book parked events that became clear while they were being parked: the two transactions saw neither."""
        for tenant in await database.tenants():
            async with database.transaction(tenant) as tx:
                await self.free(tx, tenant)


def _late(named: Sequence[Named], closes: Mapping[str, tuple[date, datetime]]) -> dict[Item, tuple[str, datetime]]:
    """Items with movements or counts that were told after their day was closed: sales may have hidden demand, or not.

    By the events' own times: between the topics of sales and stock there is no order of arrival.
    """
    late: dict[Item, tuple[str, datetime]] = {}
    for one, sku, location in named:
        close = closes.get(location)
        if close is not None and one.body.business_date <= close[0] and one.envelope.time > close[1]:
            late[(sku, location)] = (one.envelope.id, one.envelope.time)
    return late


_sale: Callable[[tuple[Any, ...]], Fact] = functools.partial(tuple.__new__, Fact)


def _fact(one: Received[Any], sku: str, location: str) -> Fact:
    body = one.body
    if type(body) is SaleRecorded:  # nearly every event: without the Python of a named tuple's constructor
        cause, at = one.envelope.id, one.envelope.time
        return _sale(
            (Kind.SALE, sku, location, body.business_date, body.quantity, one.partition, cause, at, body.promotion)
        )
    if isinstance(body, ReturnRecorded):
        kind, again = Kind.RETURN, body.restocked
    else:
        assert isinstance(body, SaleVoided)
        kind, again = Kind.VOID, False
    cause, at = one.envelope.id, one.envelope.time
    return Fact(kind, sku, location, body.business_date, body.quantity, one.partition, cause, at, again)


def _check(one: Received[Any]) -> None:
    """A close of a day that cannot have ended yet is refused: it would turn every later sale into a correction.

    Asked before an event may be parked: what is freed later must be fit to be booked.
    """
    body = one.body
    if type(body) is BusinessDayClosed and body.business_date > body.closed_at.date() + CLOSE_AHEAD_MAX:
        raise Rejected(
            "close_before_day",
            f"business day {body.business_date} of {body.location} is closed at {body.closed_at.isoformat()}, before it"
            " can have ended; send the close again with the right day",
            field="business_date",
        )


def _close(one: Received[Any], location: str) -> Close:
    body: BusinessDayClosed = one.body
    partition = WHOLE_LOCATION if body.partition is None else body.partition
    return Close(location, partition, body.business_date, one.envelope.id, one.envelope.time)


def _terms(body: SupplierItemDefined) -> tuple[Any, ...]:
    """Terms of supply as the ledger needs them: the lead time at which a forecast is used."""
    place = body.location or ""
    return body.sku, place, body.supplier, body.lead_time_days, body.priority, body.active, body.defined_at


def attach(consumer: BatchConsumer, intake: Intake) -> None:
    """Read the catalogue up to its end first after a start, so that a fresh service parks as little as possible."""
    consumer.on((CATALOGUE,), intake.catalogue, first=True)
    consumer.on((SIGNALS,), intake.heed)
    consumer.on((SALES,), intake.sales, check=_check)
    consumer.on((STOCK,), intake.stock)
