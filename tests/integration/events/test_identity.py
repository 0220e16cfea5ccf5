"""Codes that are unknown, ambiguous, merged or split: both consumers wait for the same events and name them alike."""

import itertools
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest

from kit import outbox, parking
from kit.names import ITEM, Names
from schemas.catalogue import (
    ChannelDefined,
    IdentityAliasDefined,
    OwnerScopeDefined,
    SupplierDefined,
    SupplierItemDefined,
)
from schemas.decisions import OrderUpdated
from services.policy import unresolved
from services.policy.planner import current_policy
from services.policy.store import evidence
from tests.integration.events.both import (
    DAY,
    NOON,
    SERVICES,
    TENANT,
    Both,
    closed,
    counted,
    item,
    moved,
    place,
    sale,
)

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
Subject = Literal["item", "location", "channel", "supplier"]
Scheme = Literal["gtin", "supplier_code", "legacy_code", "own_code"]


def alias(code: str, target: str, scheme: Scheme = "legacy_code", subject: Subject = "item", **more: Any) -> Any:
    return IdentityAliasDefined(
        tenant=TENANT, scheme=scheme, subject=subject, code=code, target=target, **({"defined_at": NOON} | more)
    )


async def parked(side: Both, service: str) -> list[tuple[str, str]]:
    rows = await side.rows(service, "select record_key, reason from parked_events order by seq")
    return [(row["record_key"].split("/", 1)[1], row["reason"]) for row in rows]


async def exceptions(side: Both) -> list[tuple[str, str]]:
    return [(one["type"].split(".")[1], one["subject"]) for one in await side.said("policy", "exceptions.v1")]


async def test_an_unknown_product_waits_with_its_later_events_and_flows_in_order_once_it_is_named(side: Both) -> None:
    await side.define(item("A"), place("L1"))
    await side.define(OwnerScopeDefined(tenant=TENANT, owner="lena", locations=("L1",), defined_at=NOON))
    await side.send(sale("x", 2), sale("A", 1), sale("x", 3), moved("x", "receipt", 20), sale("x", 1))
    await side.settled()
    for service in SERVICES:
        assert await parked(side, service) == [
            ("x/L1", "unknown_identity"),
            ("x/L1", "unknown_identity"),
            ("x/L1", "unknown_identity"),
            ("x/L1", "unknown_identity"),
        ], service
    assert await side.position("A") == (Decimal(-1), 0, 0)
    raised = await side.said("policy", "exceptions.v1")
    assert [(one["subject"], one["owner"]) for one in raised] == [("item:x", "lena")]
    await side.send(alias("x", "A"))
    await side.settled()
    assert await side.position("A") == (Decimal(13), 0, 0)
    assert await side.demand("A") == 7
    assert [await parked(side, service) for service in SERVICES] == [[], []]
    assert await exceptions(side) == [("raised", "item:x"), ("resolved", "item:x")]


async def test_a_code_that_may_be_two_products_waits_until_one_is_left(side: Both) -> None:
    await side.define(item("A"), item("B"), place("L1"))
    await side.define(
        alias("77", "A", "supplier_code", supplier="S1"), alias("77", "B", "supplier_code", supplier="S2")
    )
    await side.send(sale("77", 4))
    await side.settled()
    assert await parked(side, "policy") == [("77/L1", "ambiguous_identity")] == await parked(side, "forecaster")
    assert (await side.said("policy", "exceptions.v1"))[0]["details"]["candidates"] == ["A", "B"]
    ended = alias("77", "B", "supplier_code", supplier="S2", active=False, defined_at=NOON + timedelta(hours=1))
    await side.send(ended)
    await side.settled()
    assert await side.demand("A") == 4
    assert await side.position("A") == (Decimal(-4), 0, 0)
    assert await side.position("B") == (0, 0, 0)


async def test_a_split_code_goes_by_the_business_day_and_what_was_booked_stays(side: Both) -> None:
    await side.define(item("A"), item("B"), place("L1"), alias("x", "A"))
    await side.send(sale("x", 1), sale("x", 2, DAY + timedelta(days=1)))
    await side.settled()
    await side.send(alias("x", "B", valid_from=DAY + timedelta(days=1), defined_at=NOON + timedelta(hours=1)))
    await side.settled()
    await side.send(sale("x", 10), sale("x", 20, DAY + timedelta(days=1)))
    await side.settled()
    assert [await side.demand(sku) for sku in "AB"] == [13, 20]
    assert await side.position("A") == (Decimal(-13), 0, 0)
    assert await side.position("B") == (Decimal(-20), 0, 0)


async def test_a_merged_product_takes_the_events_of_both_codes_from_then_on(side: Both) -> None:
    await side.define(item("A"), item("B"), place("L1"))
    await side.send(sale("B", 1))
    await side.settled()
    await side.send(alias("B", "A", "own_code"))
    await side.settled()
    await side.send(sale("B", 5))
    await side.settled()
    assert [await side.demand(sku) for sku in "AB"] == [5, 1]
    assert (await side.position("A"), await side.position("B")) == ((Decimal(-5), 0, 0), (Decimal(-1), 0, 0))


async def test_a_gtin_with_a_wrong_check_digit_is_refused_as_an_alias_and_explained_in_a_sale(side: Both) -> None:
    await side.define(item("A"), place("L1"), alias("036000291453", "A", "gtin"), alias("036000291452", "A", "gtin"))
    await side.send(sale("0036000291452", 1), sale("0036000291453", 1))
    await side.settled()
    for service in SERVICES:
        assert [one["code"] for one in await side.said(service, "catalogue.v1.dead")] == ["gtin_invalid"], service
    assert await side.demand("A") == 1
    raised = (await side.said("policy", "exceptions.v1"))[0]
    assert "check digit" in raised["says"], raised


async def test_an_unknown_place_holds_its_sales_counts_and_closes_and_lets_them_go_in_order(side: Both) -> None:
    await side.define(item("A"), place("L1"))
    for one in (
        sale("A", 2, location="east"),
        closed(location="east"),
        sale("A", 3, location="east"),
        counted("A", 50, NOON, location="east"),
    ):
        await side.send(one)
        await side.settled()  # they lie on several partitions; only so their order is certain
    assert [len(await parked(side, service)) for service in SERVICES] == [4, 4]
    assert await side.rows("policy", "select 1 from closed_days") == []
    await side.send(alias("east", "L1", "own_code", "location"))
    await side.settled()
    assert await side.demand("A") == 5
    assert (await side.rows("policy", "select closed_on from closed_days"))[0]["closed_on"] == DAY
    late = await side.rows("forecaster", "select revision from daily_demand where sku = 'A'")
    assert [row["revision"] for row in late] == [1], "the second sale came after the close and is a correction"


async def test_a_sale_through_an_unknown_channel_waits_with_its_key_until_the_channel_is_known(side: Both) -> None:
    await side.define(item("A"), item("B"), place("L1"))
    await side.send(sale("A", 2, channel="web"), sale("A", 3), sale("B", 4), sale("B", 1, channel="kiosk"))
    await side.settled()
    for service in SERVICES:
        assert await parked(side, service) == [
            ("A/L1", "unknown_identity"),
            ("A/L1", "behind_an_earlier_event"),
            ("B/L1", "unknown_identity"),
        ], service
    assert await exceptions(side) == [("raised", "channel:web"), ("raised", "channel:kiosk")]
    assert [await side.demand(sku) for sku in "AB"] == [0, 4], "over the counter needs no definition"
    await side.define(ChannelDefined(tenant=TENANT, channel="web", name="Web shop", defined_at=NOON))
    await side.send(alias("kiosk", "store", "own_code", "channel"))
    await side.settled()
    assert [await side.demand(sku) for sku in "AB"] == [5, 5]
    assert [await parked(side, service) for service in SERVICES] == [[], []]
    assert await exceptions(side) == [
        ("raised", "channel:web"),
        ("raised", "channel:kiosk"),
        ("resolved", "channel:web"),
        ("resolved", "channel:kiosk"),
    ]


async def test_a_channel_that_may_be_two_waits_until_one_is_left(side: Both) -> None:
    await side.define(item("A"), place("L1"))
    for code in ("web", "phone"):
        await side.send(ChannelDefined(tenant=TENANT, channel=code, name=code, defined_at=NOON))
    other = alias("remote", "phone", "supplier_code", "channel", supplier="MARKETPLACE")
    await side.send(alias("remote", "web", "legacy_code", "channel"), other)
    await side.settled()
    await side.send(sale("A", 2, channel="remote"))
    await side.settled()
    assert [await parked(side, service) for service in SERVICES] == [[("A/L1", "ambiguous_identity")]] * 2
    await side.send(other.model_copy(update={"active": False, "defined_at": NOON + timedelta(minutes=1)}))
    await side.settled()
    assert await side.demand("A") == 2


async def test_every_process_of_a_service_sees_a_new_meaning_at_once(side: Both) -> None:
    """The catalogue has one partition, so only one process of a service reads it; the memory of the others must follow."""
    await side.define(item("A"), item("B"), place("L1"), alias("x", "A"))
    await side.settled()
    elsewhere = Names()
    for target, later in (("A", 0), ("B", 1)):
        if later:
            await side.send(alias("x", "B", defined_at=NOON + timedelta(hours=1)))
            await side.settled()
        async with side.databases["policy"].transaction(side.tenant) as tx:
            await elsewhere.refresh(tx, side.tenant)
            await elsewhere.learn(tx, side.tenant, ITEM, ["x"])
            assert elsewhere.meaning(side.tenant, ITEM, "x", DAY, 2**60).target == target


async def test_a_dropped_event_stays_out_and_the_rest_of_its_key_flows(side: Both) -> None:
    await side.define(item("A"), place("L1"))
    await side.send(sale("x", 2), sale("x", 3), ids=["one", "two"])
    await side.settled()
    for service in SERVICES:
        async with side.databases[service].transaction(side.tenant) as tx:
            head = (await parking.keys_page(tx, side.tenant, "", 10))[0]
            assert (head["event_id"], head["waiting"]) == ("one", 2)
            await parking.drop(
                tx, side.tenant, head["record_key"], event_hash=head["event_hash"], reason="a test till", by="pia"
            )
    await side.send(alias("x", "A"))
    await side.settled()
    assert await side.demand("A") == 3
    assert await side.position("A") == (Decimal(-3), 0, 0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:3])
async def test_names_that_come_in_another_order_lead_to_the_same_place(side: Both, order: tuple[int, ...]) -> None:
    said = [place("L1"), alias("old", "A"), item("A")]
    await side.send(sale("old", 3))
    await side.settled()
    for index in order:
        await side.send(said[index])
        await side.settled()
    assert await side.demand("A") == 3
    assert await side.position("A") == (Decimal(-3), 0, 0)
    assert [kind for kind, _ in await exceptions(side)].count("resolved") == 2


async def test_a_later_event_that_could_be_named_waits_behind_the_earlier_one_of_its_key(side: Both) -> None:
    await side.define(item("A"), place("L1"), alias("x", "A", valid_from=DAY + timedelta(days=1)))
    await side.send(sale("x", 2))
    await side.settled()
    await side.send(sale("x", 3, DAY + timedelta(days=1)))
    await side.settled()
    for service in SERVICES:
        assert await parked(side, service) == [
            ("x/L1", "unknown_identity"),
            ("x/L1", "behind_an_earlier_event"),
        ], service
    assert await side.demand("A") == 0
    await side.define(alias("x", "A", defined_at=NOON + timedelta(hours=1)))
    assert await side.demand("A") == 5
    assert await side.position("A") == (Decimal(-5), 0, 0)


async def test_a_supplier_delivers_under_any_of_its_codes_and_merged_ones_are_split_again(side: Both) -> None:
    """Terms are told under a code; who is ordered from is what the code means by the newest word."""

    async def ordered_from() -> str | None:
        async with side.databases["policy"].transaction(side.tenant) as tx:
            ((known, _plan),) = await evidence.read(
                tx, side.tenant, [("A", "L1")], (await current_policy(tx, side.tenant))[0]
            )
            return None if known.terms is None else known.terms.supplier

    def supplier(code: str) -> SupplierDefined:
        return SupplierDefined(tenant=TENANT, supplier=code, name=code, defined_at=NOON)

    terms = SupplierItemDefined(tenant=TENANT, supplier="17", sku="A", lead_time_days=4, defined_at=NOON)
    later = {"defined_at": NOON + timedelta(hours=1)}
    steps: list[tuple[Any, str | None]] = [
        (terms, None),
        (alias("17", "NORTH", subject="supplier"), None),
        (supplier("NORTH"), "NORTH"),
        (supplier("SOUTH"), "NORTH"),
        (alias("NORTH", "SOUTH", "own_code", "supplier"), "SOUTH"),
        (alias("NORTH", "SOUTH", "own_code", "supplier", active=False, **later), "NORTH"),
        (alias("17", "SOUTH", "supplier_code", "supplier"), None),  # it may be either now
        (alias("17", "SOUTH", "supplier_code", "supplier", active=False, **later), "NORTH"),
    ]
    await side.define(item("A"), place("L1"))
    for step, expected in steps:
        await side.define(step)
        assert await ordered_from() == expected, step
    told = await side.rows("policy", "select count(*) as n from name_facts where subject = 'supplier'")
    assert told[0]["n"] == 7, "every word about them is kept"


async def test_what_serves_a_commitment_nobody_made_waits_and_flows_when_it_was_only_overtaken(side: Both) -> None:
    await side.define(item("A"), item("B"), place("L1"))
    await side.send(
        moved("A", "receipt", 20),
        moved("A", "release", 3, commitment_id="c-1"),
        moved("A", "shipment", 1, commitment_id="c-1"),
        moved("B", "backorder", -2, commitment_id="c-2"),
        moved("B", "release", 1),
    )
    await side.settled()
    waits = [("A/L1", "unknown_commitment"), ("A/L1", "behind_an_earlier_event"), ("B/L1", "unknown_commitment"),
             ("B/L1", "behind_an_earlier_event")]  # fmt: skip
    assert sorted(await parked(side, "policy")) == sorted(waits)
    assert await parked(side, "forecaster") == [], "demand does not depend on it"
    assert (await side.position("A"))[:3] == (20, 0, 0), "what nobody promised takes nothing back"
    assert await exceptions(side) == [], "it may only have overtaken its reservation"
    async with side.databases["policy"].transaction(side.tenant) as tx:
        await outbox.enqueue(tx, await unresolved.open_for_overtakers(tx, side.tenant, seconds=0.0))
    assert sorted(await exceptions(side)) == [("raised", "commitment:c-1"), ("raised", "commitment:c-2")]
    await side.send(moved("A", "reservation", 5, commitment_id="c-1"))
    await side.settled()
    assert (await side.position("A"))[:3] == (19, 2, 0)
    assert await parked(side, "policy") == [("B/L1", "unknown_commitment"), ("B/L1", "behind_an_earlier_event")]
    assert ("resolved", "commitment:c-1") in await exceptions(side)
    await side.send(moved("B", "backorder", 2, commitment_id="c-2", location="L1"))
    await side.settled()
    assert (await side.position("B"))[:3] == (0, -1, 0)
    assert await parked(side, "policy") == []


async def test_an_answer_to_an_order_nobody_released_waits_and_is_told_to_its_owner_once(side: Both) -> None:
    await side.define(
        item("A"), place("L1"), OwnerScopeDefined(tenant=TENANT, owner="lena", locations=("L1",), defined_at=NOON)
    )
    answer = OrderUpdated(
        tenant=TENANT, order_id="PO-9", status="received", location="L1", business_date=DAY, updated_at=NOON
    )
    await side.send(answer, answer)

    async def looked() -> None:
        """As the sweep does, with a patience of nothing."""
        async with side.databases["policy"].transaction(side.tenant) as tx:
            says = await side.handlers.free(tx, side.tenant, cause="test")
            await outbox.enqueue(tx, [*says, *await unresolved.open_for_overtakers(tx, side.tenant, seconds=0.0)])

    await side.settled()
    for _ in range(2):
        await looked()
    raised = await side.said("policy", "exceptions.v1")
    assert [(one["subject"], one["owner"]) for one in raised] == [("purchase_order:PO-9", "lena")]
    assert await side.rows("policy", "select 1 from supply union all select 1 from deliveries") == []
    async with side.databases["policy"].transaction(side.tenant) as tx:
        key = (await parking.keys_page(tx, side.tenant, "", 10))[0]["record_key"]
        await parking.drop(tx, side.tenant, key, event_hash=None, reason="another shop's", by="pia")
    await looked()
    assert await exceptions(side) == [("raised", "purchase_order:PO-9"), ("resolved", "purchase_order:PO-9")]
