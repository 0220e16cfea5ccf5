"""Every kind of event from outside, and what it does to both consumers: demand at one, stock and plans at the other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kit.events import Envelope, Outgoing, decode, headers_of
from schemas.base import Message
from schemas.catalogue import (
    ChannelDefined,
    IdentityAliasDefined,
    LocationDefined,
    OwnerScopeDefined,
    PriceBreak,
    SubstituteDefined,
    SupersessionDefined,
    SupplierDefined,
    SupplierItemDefined,
)
from schemas.decisions import OrderCancelled, OrderLineUpdate, OrderUpdated
from schemas.demand import ReturnRecorded, SaleVoided
from schemas.signals import Scope, SignalObserved
from schemas.topics import CATALOGUE, ORDER_UPDATES, SALES, SIGNALS, STOCK
from tests.integration.events.both import DAY, NOON, TENANT, Both, closed, counted, item, moved, place, released, sale

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
HOUR = timedelta(hours=1)
RATIO = {"ratio": Decimal(2)}


@dataclass(frozen=True)
class Case:
    """Events of one product (None of `demand`: the forecaster is not asked), and the state they must lead to."""

    says: str
    events: Callable[[str], list[Message]]
    demand: int | None = 0
    on_hand: int = 0
    reserved: int = 0
    backorders: int = 0
    ids: list[str] = field(default_factory=list)


def voided(sku: str, units: int, of: str, **more: Any) -> SaleVoided:
    return SaleVoided(
        tenant=TENANT, sku=sku, location="L1", sale_event_id=of, quantity=Decimal(units), business_date=DAY,
        voided_at=NOON + 4 * HOUR, **more,
    )  # fmt: skip


def returned(sku: str, units: int, *, restocked: bool = True) -> ReturnRecorded:
    return ReturnRecorded(
        tenant=TENANT, sku=sku, location="L1", quantity=Decimal(units), business_date=DAY, returned_at=NOON,
        restocked=restocked,
    )  # fmt: skip


CASES = [
    Case("a sale is demand and leaves the shelf", lambda s: [sale(s, 3)], 3, -3),
    Case("a return comes back to the shelf and is not less demand", lambda s: [sale(s, 3), returned(s, 1)], 3, -2),
    Case("a scrapped return stays off the shelf", lambda s: [sale(s, 3), returned(s, 1, restocked=False)], 3, -3),
    Case("a void takes a sale back from both", lambda s: [sale(s, 3), voided(s, 3, "v1")], 0, 0, ids=["v1", "v2"]),
    Case("a void may come before its sale", lambda s: [voided(s, 3, "w1"), sale(s, 3)], 0, 0, ids=["w2", "w1"]),
    Case(
        "a void of a sale that a count has seen leaves the counted stock as it is",
        lambda s: [sale(s, 3), counted(s, 10, NOON + HOUR), voided(s, 3, "x1")], 0, 10, ids=["x1", "x2", "x3"],
    ),
    Case(
        "the same when the void comes first and says when the sale was",
        lambda s: [voided(s, 3, "y3", sold_at=NOON), counted(s, 10, NOON + HOUR), sale(s, 3)], 0, 10,
        ids=["y1", "y2", "y3"],
    ),
    Case("a receipt comes in", lambda s: [moved(s, "receipt", 12)], 0, 12),
    Case("a shipment goes out and is no sale", lambda s: [moved(s, "shipment", 4)], 0, -4),
    Case("a transfer leaves here", lambda s: [moved(s, "transfer_out", 5, counterpart_location="L2")], 0, -5),
    Case("a transfer arrives here", lambda s: [moved(s, "transfer_in", 5, counterpart_location="L2")], 0, 5),
    Case("an adjustment goes either way", lambda s: [moved(s, "adjustment", 5), moved(s, "adjustment", -7)], 0, -2),
    Case("a count says what is there", lambda s: [moved(s, "receipt", 9), counted(s, 4, NOON + HOUR)], 0, 4),
    Case("an older count says nothing new", lambda s: [counted(s, 4, NOON), counted(s, 9, NOON - HOUR)], 0, 4),
    Case("a reservation is promised and not gone", lambda s: [moved(s, "reservation", 2, commitment_id="c")], 0, 0, 2),
    Case(
        "a release takes a reservation back",
        lambda s: [moved(s, "reservation", 5), moved(s, "release", 2)], 0, 0, 3,
    ),
    Case(
        "a customer waits, and is served later",
        lambda s: [moved(s, "backorder", 5, commitment_id="k"), moved(s, "backorder", -2, commitment_id="k")],
        0, 0, 0, 3,
    ),
]  # fmt: skip


async def test_what_happens_in_the_shop_moves_demand_and_stock_as_it_should(side: Both) -> None:
    await side.define(place("L1"), place("L2"), *(item(f"S{number}") for number in range(len(CASES))))
    for number, case in enumerate(CASES):
        await side.send(*case.events(f"S{number}"), ids=case.ids or None)
    await side.settled()
    wrong = []
    for number, case in enumerate(CASES):
        found = (await side.demand(f"S{number}"), *await side.position(f"S{number}"))
        if found != (case.demand, case.on_hand, case.reserved, case.backorders):
            wrong.append(f"{case.says}: demand, on hand, reserved, backorders are {[str(one) for one in found]}")
    assert not wrong, "\n".join(wrong)


async def test_what_comes_after_the_close_is_a_correction_the_forecast_learns_of(side: Both) -> None:
    await side.define(place("L1"), *(item(sku) for sku in "ABCD"))
    await side.send(sale("A", 5), sale("B", 5), sale("C", 5), sale("D", 5), ids=["a", "b", "c", "d"])
    await side.settled()
    await side.send(closed())
    await side.settled()
    await side.send(sale("A", 2), voided("B", 5, "b"), returned("C", 1), moved("D", "receipt", 9), at=NOON + 24 * HOUR)
    await side.settled()
    days = await side.rows("forecaster", "select sku, quantity, returned, revision from daily_demand order by sku")
    assert [tuple(row) for row in days] == [("A", 7, 0, 1), ("B", 0, 0, 1), ("C", 5, 1, 1), ("D", 5, 0, 0)]
    due = await side.rows("forecaster", "select sku from due_items order by sku")
    assert [row["sku"] for row in due] == ["A", "B", "C", "D"]
    assert [(await side.position(sku))[0] for sku in "ABCD"] == [-7, 0, -4, 4]
    assert (await side.rows("policy", "select closed_on from closed_days"))[0]["closed_on"] == DAY


def signal(signal_id: str, kind: Any, **more: Any) -> SignalObserved:
    given: dict[str, Any] = {
        "scope": Scope(sku="A"), "strength": 1.5, "probability": Decimal(1), "starts_at": NOON,
        "ends_at": NOON + 72 * HOUR, "advisory": False,
    }  # fmt: skip
    return SignalObserved(tenant=TENANT, signal_id=signal_id, kind=kind, **(given | more))


async def test_signals_are_kept_by_both_and_what_they_are_about_is_looked_at_again(side: Both) -> None:
    await side.define(place("L1"), item("A"), item("B"))
    await side.send(sale("A", 1), sale("B", 1))
    await side.settled()
    kinds = ("promotion", "price_change", "viral_event", "supply_disruption", "competitor_out", "economic_outlook")
    await side.send(*(signal(f"s-{kind}", kind) for kind in kinds), signal("seen", "demand_spike", advisory=True))
    await side.send(signal("s-promotion", "promotion", strength=3.0), at=NOON + HOUR)
    await side.send(signal("s-promotion", "promotion", strength=9.0), at=NOON - HOUR)
    await side.settled()
    for service in ("forecaster", "policy"):
        rows = await side.rows(service, "select signal_id, strength from signals order by signal_id")
        kept = {row["signal_id"]: row["strength"] for row in rows}
        assert kept.keys() == {*(f"s-{kind}" for kind in kinds), "seen"}, service
        assert kept["s-promotion"] == 3.0, f"{service}: the newest word counts, whatever came last"
    due = await side.rows("forecaster", "select sku from due_items")
    assert [row["sku"] for row in due] == ["A"], "only what the signal is about"


def terms(**more: Any) -> SupplierItemDefined:
    given: dict[str, Any] = {
        "supplier": "SUP", "sku": "A", "lead_time_days": 4, "unit_cost": Decimal("2.5"), "moq": Decimal(6),
        "pack": Decimal(3), "price_breaks": (PriceBreak(from_quantity=Decimal(0), unit_cost=Decimal("2.5")),),
        "defined_at": NOON,
    }  # fmt: skip
    return SupplierItemDefined(tenant=TENANT, **(given | more))


async def test_master_data_is_kept_where_it_is_used_and_an_older_word_changes_nothing(side: Both) -> None:
    zone = LocationDefined(tenant=TENANT, location="L1", name="One", time_zone="Europe/Oslo", defined_at=NOON)
    supplier = SupplierDefined(
        tenant=TENANT, supplier="SUP", name="S", order_weekdays=(0, 3), closed_on=(DAY,), defined_at=NOON
    )
    await side.define(
        zone, item("A", category="tea"), item("B"), item("C"), supplier, terms(),
        ChannelDefined(tenant=TENANT, channel="web", name="Web", defined_at=NOON),
        IdentityAliasDefined(
            tenant=TENANT, scheme="legacy_code", subject="supplier", code="S-1", target="SUP", defined_at=NOON
        ),
        SupersessionDefined(
            tenant=TENANT, predecessor="A", successor="B", effective_on=DAY, defined_at=NOON, **RATIO
        ),
        SubstituteDefined(tenant=TENANT, sku="B", substitute="C", defined_at=NOON, **RATIO),
        OwnerScopeDefined(tenant=TENANT, owner="lena", categories=("tea",), defined_at=NOON),
    )  # fmt: skip
    await side.define(item("A", at=NOON - HOUR, category="old"), terms(lead_time_days=99, defined_at=NOON - HOUR))
    expected: dict[str, dict[str, list[tuple[Any, ...]]]] = {
        "forecaster": {
            "select sku, category from catalogue_items order by sku": [("A", "tea"), ("B", None), ("C", None)],
            "select time_zone from catalogue_locations": [("Europe/Oslo",)],
            "select lead_time_days from supply_terms": [(4,)],
            "select successor, effective_on, ratio from successions": [("B", DAY, Decimal(2))],
            "select target from name_facts where subject = 'supplier' and scheme = 'legacy_code'": [("SUP",)],
        },
        "policy": {
            "select sku, category from products order by sku": [("A", "tea"), ("B", None), ("C", None)],
            "select location from locations": [("L1",)],
            "select channel from channels": [("web",)],
            "select order_weekdays, closed_on from suppliers": [([0, 3], [DAY])],
            "select lead_time_days, unit_cost, moq, pack, price_breaks::text from supplier_items": [
                (4, Decimal("2.5"), Decimal(6), Decimal(3), '[["0", "2.5"]]')
            ],
            "select successor from successions": [("B",)],
            "select substitute from substitutes": [("C",)],
            "select owner from owner_scopes": [("lena",)],
            "select target from name_facts where subject = 'supplier' and scheme = 'legacy_code'": [("SUP",)],
        },
    }
    for service, questions in expected.items():
        for sql, answer in questions.items():
            assert [tuple(row) for row in await side.rows(service, sql)] == answer, f"{service}: {sql}"


def answered(status: Any, order_id: str = "PO-1", units: int | None = None, arrive: date | None = None) -> OrderUpdated:
    lines = () if units is None else (OrderLineUpdate(sku="A", quantity=Decimal(units), arrive_on=arrive),)
    return OrderUpdated(
        tenant=TENANT, order_id=order_id, status=status, location="L1", business_date=DAY, updated_at=NOON, lines=lines
    )


async def test_what_suppliers_answer_moves_what_is_on_its_way(side: Both) -> None:
    await side.define(place("L1"), item("A"))
    await side.send(answered("acknowledged"))  # it has overtaken its order
    await side.settled()
    assert [row["reason"] for row in await side.rows("policy", "select reason from parked_events")] == ["unknown_order"]
    later = DAY + timedelta(days=9)
    steps: list[tuple[Message, tuple[Any, ...]]] = [
        (released(), ("acknowledged", None, DAY + timedelta(days=4))),
        (answered("confirmed", units=8, arrive=later), ("confirmed", Decimal(8), later)),
        (answered("shipped"), ("shipped", Decimal(8), later)),
        (answered("acknowledged"), ("shipped", Decimal(8), later)),
        (moved("A", "receipt", 8, order_id="PO-1"), ("shipped", Decimal(8), later)),
        (answered("received", units=8), ("received", Decimal(8), later)),
    ]
    for step, expected in steps:
        await side.send(step)
        await side.settled()
        rows = await side.rows("policy", "select status, confirmed, arrive_on from supply")
        assert [tuple(row) for row in rows] == [expected], step
    assert (await side.position("A"))[0] == 8
    await side.send(released("PO-2"), answered("failed", "PO-2"))
    await side.settled()
    await side.send(
        OrderCancelled(tenant=TENANT, order_id="PO-2", cancelled_by="p", cancelled_at=NOON, reason_code="no_need")
    )
    await side.settled()
    rows = await side.rows("policy", "select status from supply where order_id = 'PO-2'")
    assert [row["status"] for row in rows] == ["cancelled"]


async def test_an_answer_put_aside_while_another_process_books_its_order_is_heard_at_the_next_sweep(side: Both) -> None:
    await side.define(place("L1"), item("A"))
    body = answered("confirmed", "PO-3", units=7).model_copy(update={"tenant": side.tenant})
    envelope = Envelope("answer-3", "erp/1", body.TYPE, NOON, body.tenant, body.record_key())
    headers = headers_of(Outgoing(ORDER_UPDATES.name, envelope, body.wire()))
    answer = decode(ORDER_UPDATES, 0, 0, envelope.key.encode(), body.wire(), headers, 0)
    async with side.databases["policy"].transaction(side.tenant) as tx:
        await side.handlers.update(tx, side.tenant, [answer])
        await side.send(released("PO-3"))
        await side.settled()  # booked by the other, who cannot see yet that an answer waits
    parked = "select reason from parked_events"
    assert [row["reason"] for row in await side.rows("policy", parked)] == ["unknown_order"]
    await side.handlers.sweep(side.databases["policy"])
    assert await side.rows("policy", parked) == []
    rows = await side.rows("policy", "select status, confirmed from supply where order_id = 'PO-3'")
    assert [tuple(row) for row in rows] == [("confirmed", Decimal(7))]


async def test_what_comes_short_late_dearer_or_as_something_else_is_told_once_and_ends(side: Both) -> None:
    await side.define(
        place("L1"),
        item("A"),
        item("B"),
        OwnerScopeDefined(tenant=TENANT, owner="lena", suppliers=("SUP",), defined_at=NOON),
    )

    def line(units: int, **more: Any) -> OrderUpdated:
        said = OrderLineUpdate(sku="A", quantity=Decimal(units), **more)
        return answered("confirmed").model_copy(update={"lines": (said,)})

    async def on_its_way() -> list[tuple[Any, ...]]:
        sql = (
            "select sku, coalesce(confirmed, quantity), arrive_on from supply where status <> 'cancelled' order by sku"
        )
        return [tuple(row) for row in await side.rows("policy", sql)]

    async def told(*events: Message) -> list[tuple[str, Any]]:
        before = len(await side.said("policy", "exceptions.v1"))
        await side.send(*events)
        await side.settled()
        new = (await side.said("policy", "exceptions.v1"))[before:]
        return [(one.get("kind", "resolved"), one.get("owner")) for one in new]

    day, later = DAY + timedelta(days=4), DAY + timedelta(days=9)
    dear = Decimal("2.5")
    assert await told(line(8, arrive_on=later, unit_cost=dear)) == []  # it has overtaken its order
    every = [("supplier_short", "lena"), ("supplier_late", "lena"), ("supplier_price", "lena")]
    assert await told(released()) == every
    raised = [one for one in await side.said("policy", "exceptions.v1") if "money_at_stake" in one]
    assert {one["currency"] for one in raised} == {released().currency}, "money names its currency"
    assert await told(line(7, arrive_on=later, unit_cost=dear)) == [], "open already"
    assert await on_its_way() == [("A", 7, later)]
    assert await told(line(12, arrive_on=day, unit_cost=Decimal(2))) == [("resolved", None)] * 3
    assert await told(line(11, substitute_sku="B")) == [("supplier_short", "lena")]
    assert await on_its_way() == [("A", 0, day), ("B", 11, day)]
    assert "sends 11 B" in (await side.said("policy", "exceptions.v1"))[-1]["says"]
    assert await told(line(12)) == [("resolved", None)]
    assert await on_its_way() == [("A", 12, day)], "it comes as ordered after all"
    assert await told(line(12, substitute_sku="nobody-knows")) == [("supplier_short", "lena")]
    assert await on_its_way() == [("A", 0, day)], "what the catalogue does not know counts nowhere"
    assert await told(line(10, substitute_sku="B", arrive_on=later)) == [("supplier_late", "lena")]
    assert await told(answered("received")) == [("resolved", None)] * 2
    rows = await side.rows("policy", "select sku, status from supply order by sku")
    assert [tuple(row) for row in rows] == [("A", "received"), ("B", "received")]
    assert await told(released("PO-2"), answered("failed", "PO-2")) == [("supplier_short", "lena")]
    taken_back = OrderCancelled(
        tenant=TENANT, order_id="PO-2", cancelled_by="p", cancelled_at=NOON, reason_code="no_need"
    )
    assert await told(taken_back) == [("resolved", None)]


async def test_no_kind_of_event_from_outside_is_without_a_case() -> None:
    """The kinds these tests send, against the catalogue of topics: a new kind needs a case here."""
    said = {type(event).TYPE for case in CASES for event in case.events("S")}
    catalogue = {
        "item.defined.v1", "location.defined.v1", "channel.defined.v1", "supplier.defined.v1", "supplier-item.defined.v1",
        "identity-alias.defined.v1", "reference-alias.defined.v1", "supersession.defined.v1", "substitute.defined.v1", "owner-scope.defined.v1",
    }  # fmt: skip
    others = {closed().TYPE, signal("s", "promotion").TYPE, answered("shipped").TYPE}
    outside = {kind for topic in (SALES, STOCK, CATALOGUE, SIGNALS, ORDER_UPDATES) for kind in topic.messages}
    assert said | catalogue | others == outside
