"""Sales, stock and catalogue in; daily demand, closed days and due forecasts out. Judgement is in `domain.booking`.

Nothing is forecast here: a close leaves a row in `due_closings` in the same transaction, and `worker` forecasts it
beside the consuming, so that events never wait for a model.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kit import parking
from kit.consumer import BatchConsumer
from kit.database import Transaction
from kit.errors import Rejected
from kit.events import Outgoing, Received
from schemas.catalogue import IdentityAliasDefined, ItemDefined, LocationDefined, SupplierItemDefined
from schemas.demand import BusinessDayClosed, ReturnRecorded, SaleRecorded, SaleVoided, StockCounted, StockMoved
from schemas.topics import CATALOGUE, SALES, STOCK
from services.forecaster.domain.booking import WHOLE_LOCATION, Close, Fact, Kind, book
from services.forecaster.store import accuracy, catalogue, demand

UNKNOWN_IDENTITY = "unknown_identity"
# A till whose clock is ahead, or a time zone east of UTC, closes "tomorrow"; the day after that is a mistake.
CLOSE_AHEAD_DAYS_MAX = 1
NOON = 12
# What a movement does to the shelf; reservations and backorders change promises, not stock.
DIRECTION = {"receipt": 1, "shipment": -1, "transfer_out": -1, "transfer_in": 1, "adjustment": 1}

Named = tuple[Received[Any], str, str]  # an event with the own codes of its item and location


class Intake:
    """The handlers. `wake` is called when forecasts became due, so that the worker need not wait for its turn."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._known = demand.KnownItems()
        self._uncommitted = 0

    def _memory(self) -> demand.KnownItems:
        """What is known of items. While a transaction books twice (for parked events, then for its own), a memory of
        its own: the second booking must not take what the first one inserted for committed."""
        if self._uncommitted:
            self._uncommitted -= 1
            return demand.KnownItems()
        return self._known

    async def sales(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Book sales, voids and returns; close days."""
        lines = [one for one in events if not isinstance(one.body, BusinessDayClosed)]
        named = {id(one): (sku, place) for one, sku, place in await _identified(tx, tenant, lines)}
        entries = [_close(one) if isinstance(one.body, BusinessDayClosed) else _fact(one, *named[id(one)])
                   for one in events if isinstance(one.body, BusinessDayClosed) or id(one) in named]  # fmt: skip
        closed = await demand.closed_days(tx, tenant, sorted({entry.location for entry in entries}))
        booking = book(entries, closed)
        await demand.add(tx, tenant, booking, self._memory())
        if booking.closes or booking.corrected:
            self._wake()
        return []

    async def stock(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Keep what the stock-out flag needs: net movements by day, and counts."""
        named = await _identified(tx, tenant, events)
        zones = (
            await catalogue.time_zones(tx, tenant) if any(isinstance(n[0].body, StockCounted) for n in named) else {}
        )
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
                    opening = body.counted_at.astimezone(ZoneInfo(zones.get(location, "UTC"))).hour < NOON
                    counts[key] = (body.quantity, body.counted_at, opening)
            elif isinstance(body, StockMoved) and body.kind in DIRECTION:
                net[key] = net.get(key, Decimal(0)) + DIRECTION[body.kind] * body.quantity
        if items:
            await demand.add_items(tx, tenant, [(*key, *items[key]) for key in sorted(items)])
        await demand.move_stock(tx, tenant, net)
        await demand.count_stock(tx, tenant, counts)
        return []

    async def catalogue(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Learn codes; take up the events that waited for them."""
        items = [one.body for one in events if isinstance(one.body, ItemDefined)]
        places = [one.body for one in events if isinstance(one.body, LocationDefined)]
        aliases = [one.body for one in events if isinstance(one.body, IdentityAliasDefined)]
        terms = [one.body for one in events if isinstance(one.body, SupplierItemDefined)]
        if terms:
            await accuracy.define_terms(tx, tenant, [_terms(body) for body in terms])
        if items:
            rows = [(body.sku, body.category, body.abc_class, body.active, body.defined_at) for body in items]
            await catalogue.define_items(tx, tenant, rows)
        if places:
            zones = [(body.location, _zone(body.time_zone), body.active, body.defined_at) for body in places]
            await catalogue.define_locations(tx, tenant, zones)
        mine = [body for body in aliases if body.subject in ("item", "location")]
        if mine:
            links = [(body.subject, body.code, body.target, body.active, body.defined_at) for body in mine]
            await catalogue.define_aliases(tx, tenant, links)
        if not await tx.fetchval("select exists (select from parked_events where tenant = $1)", tenant):
            return []
        skus = {body.sku for body in items} | {body.code for body in mine if body.subject == "item"}
        codes = {body.location for body in places} | {body.code for body in mine if body.subject == "location"}
        return await self._take_up(tx, tenant, skus, codes)

    async def _take_up(self, tx: Transaction, tenant: str, skus: set[str], locations: set[str]) -> list[Outgoing]:
        rows = await tx.fetch("select distinct record_key from parked_events where tenant = $1", tenant)
        keys = [row["record_key"] for row in rows]
        freed_by = [key for key in keys if key.split("/")[1] in skus or key.split("/")[2] in locations]
        freed = await parking.release(tx, tenant, freed_by)
        self._uncommitted = 2  # this booking, and the one of the sales of the same batch
        says = [*await self.sales(tx, tenant, [one for one in freed if one.topic == SALES])]
        return [*says, *await self.stock(tx, tenant, [one for one in freed if one.topic == STOCK])]


async def _identified(tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> list[Named]:
    """Events whose item and location are known, with their own codes; the others are parked, in order.

    An event whose key has others waiting waits behind them.
    """
    if not events:
        return []
    skus = await catalogue.resolve_items(tx, tenant, {one.body.sku for one in events})
    places = await catalogue.resolve_locations(tx, tenant, {one.body.location for one in events})
    waiting: set[str] = set()
    if await tx.fetchval("select exists (select from parked_events where tenant = $1)", tenant):
        waiting = await parking.parked_keys(tx, tenant, {one.envelope.key for one in events})
    named: list[Named] = []
    unknown: list[Received[Any]] = []
    for one in events:
        sku, place = skus.get(one.body.sku), places.get(one.body.location)
        if sku is None or place is None or one.envelope.key in waiting:
            unknown.append(one)
        else:
            named.append((one, sku, place))
    await parking.park(tx, tenant, unknown, UNKNOWN_IDENTITY)
    return named


def _fact(one: Received[Any], sku: str, location: str) -> Fact:
    body = one.body
    if isinstance(body, SaleRecorded):
        kind, again = Kind.SALE, body.promotion
    elif isinstance(body, ReturnRecorded):
        kind, again = Kind.RETURN, body.restocked
    else:
        assert isinstance(body, SaleVoided)
        kind, again = Kind.VOID, False
    cause, at = one.envelope.id, one.envelope.time
    return Fact(kind, sku, location, body.business_date, body.quantity, one.partition, cause, at, again)


def _close(one: Received[Any]) -> Close:
    """A close of a day that cannot have ended yet is refused: it would turn every later sale into a correction."""
    body: BusinessDayClosed = one.body
    if body.business_date > body.closed_at.date() + timedelta(days=CLOSE_AHEAD_DAYS_MAX):
        raise Rejected(
            "close_before_day",
            f"business day {body.business_date} of {body.location} is closed at {body.closed_at.isoformat()}, before it"
            " can have ended; send the close again with the right day",
            field="business_date",
        )
    partition = WHOLE_LOCATION if body.partition is None else body.partition
    return Close(body.location, partition, body.business_date, one.envelope.id, one.envelope.time)


def _terms(body: SupplierItemDefined) -> tuple[Any, ...]:
    """Terms of supply as the ledger needs them: the lead time at which a forecast is used."""
    place = body.location or ""
    return body.sku, place, body.supplier, body.lead_time_days, body.priority, body.active, body.defined_at


def _zone(name: str) -> str:
    """An IANA name that exists here; a mistyped one must not stop the catalogue, so it counts as UTC."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return "UTC"
    return name


def attach(consumer: BatchConsumer, intake: Intake) -> None:
    """Read the catalogue up to its end first after a start, so that a fresh service parks as little as possible."""
    consumer.on((CATALOGUE,), intake.catalogue, first=True)
    consumer.on((SALES,), intake.sales)
    consumer.on((STOCK,), intake.stock)
