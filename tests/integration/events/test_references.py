"""Purchase orders and customer commitments by codes that are not theirs: a person says what they mean, and all flows in order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from kit import outbox, parking
from kit.rebuild import Outcome, rebuild
from schemas.catalogue import ReferenceAliasDefined
from schemas.decisions import OrderLineUpdate, OrderUpdated
from services.policy import derived, unresolved
from services.policy.store import commitments
from tests.integration.events.both import DAY, NOON, TENANT, Both, item, moved, place, released

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
LATER = {"defined_at": NOON + timedelta(hours=1)}


def alias(code: str, target: str, subject: Any = "purchase_order", scheme: Any = "legacy_code", **more: Any) -> Any:
    told = {"scheme": scheme, "subject": subject, "code": code, "target": target, "defined_at": NOON}
    return ReferenceAliasDefined(tenant=TENANT, **told | more)


def answer(order_id: str, status: Any, units: int | None = None, **more: Any) -> OrderUpdated:
    lines = () if units is None else (OrderLineUpdate(sku="A", quantity=Decimal(units)),)
    about = {"order_id": order_id, "status": status, "location": "L1", "lines": lines, "updated_at": NOON}
    return OrderUpdated(tenant=TENANT, **{"business_date": DAY} | about | more)


async def parked(side: Both) -> list[Any]:
    rows = await side.rows("policy", "select record_key, reason from parked_events order by seq")
    return [(row["record_key"].removeprefix(f"{side.tenant}/"), row["reason"]) for row in rows]


async def supply(side: Both) -> dict[str, Any]:
    rows = await side.rows("policy", "select order_id, status, confirmed from supply order by order_id")
    return {row["order_id"]: (row["status"], row["confirmed"]) for row in rows}


async def asked(side: Both) -> None:
    """As the sweep does, with a patience of nothing."""
    async with side.databases["policy"].transaction(side.tenant) as tx:
        says = await side.handlers.free(tx, side.tenant, cause="test")
        await outbox.enqueue(tx, [*says, *await unresolved.open_for_overtakers(tx, side.tenant, seconds=0.0)])


async def exceptions(side: Both) -> list[tuple[str, str]]:
    return [(one["type"].split(".")[1], one["subject"]) for one in await side.said("policy", "exceptions.v1")]


async def derived_again(side: Both) -> Outcome:
    for service in ("forecaster", "policy"):
        await side.halt(service)
    done = await rebuild(side.settings["policy"], side.databases["policy"], derived.DERIVED, lambda done, total: None)
    side.start()
    return done


async def test_answers_under_a_code_of_the_erp_wait_and_are_heard_in_order_once_it_is_said_to_be_an_order(
    side: Both,
) -> None:
    await side.define(item("A"), place("L1"), released("PO-1"))
    await side.send(answer("4500", "confirmed", 8), answer("4500", "shipped"), answer("4500", "confirmed", 7))
    await side.settled()
    assert await parked(side) == [("4500", "unknown_order")] * 3
    assert await supply(side) == {"PO-1": ("released", None)}
    await asked(side)
    assert await exceptions(side) == [("raised", "purchase_order:4500")]
    await side.define(alias("4500", "PO-1"))
    assert (await parked(side), await supply(side)) == ([], {"PO-1": ("shipped", 7)})
    assert ("resolved", "purchase_order:4500") in await exceptions(side)
    short = [one for one in await side.said("policy", "exceptions.v1") if one.get("kind") == "supplier_short"]
    assert [one["subject"] for one in short] == ["order:PO-1:A"], "told under the order's own id"
    await side.define(answer("4500", "received"))
    assert await supply(side) == {"PO-1": ("received", 7)}
    assert (await derived_again(side)).differing == []


async def test_a_code_said_to_be_an_order_that_comes_later_waits_for_it(side: Both) -> None:
    await side.define(item("A"), place("L1"), alias("4501", "PO-2"))
    await side.define(answer("4501", "confirmed", 5))
    assert await parked(side) == [("4501", "unknown_order")]
    await side.define(released("PO-2"))
    assert (await parked(side), await supply(side)) == ([], {"PO-2": ("confirmed", 5)})


async def test_two_orders_are_merged_and_split_again_and_what_was_heard_stays(side: Both) -> None:
    await side.define(item("A"), place("L1"), released("PO-1"), released("PO-2"))
    await side.define(alias("PO-2", "PO-1", scheme="own_code"))
    await side.define(answer("PO-2", "confirmed", 3))
    assert await supply(side) == {"PO-1": ("confirmed", 3), "PO-2": ("released", None)}
    await side.define(alias("PO-2", "PO-1", scheme="own_code", active=False, **LATER))
    await side.define(answer("PO-2", "confirmed", 4))
    assert await supply(side) == {"PO-1": ("confirmed", 3), "PO-2": ("confirmed", 4)}
    told = await side.rows("policy", "select count(*) as n from name_facts where subject = 'purchase_order'")
    assert told[0]["n"] == 2, "every word about them is kept"
    assert (await derived_again(side)).differing == []


async def test_a_code_that_may_be_two_orders_waits_until_one_is_left(side: Both) -> None:
    await side.define(item("A"), place("L1"), released("PO-1"), released("PO-2"))
    other = alias("77", "PO-2", scheme="supplier_code", supplier="S2")
    await side.define(alias("77", "PO-1", scheme="supplier_code", supplier="S1"), other)
    await side.define(answer("77", "confirmed", 3))
    await asked(side)
    raised = (await side.said("policy", "exceptions.v1"))[0]
    assert (raised["subject"], raised["details"]["candidates"]) == ("purchase_order:77", ["PO-1", "PO-2"])
    assert "may be any of PO-1, PO-2" in raised["says"]
    await side.define(other.model_copy(update={"active": False, **LATER}))
    assert await supply(side) == {"PO-1": ("confirmed", 3), "PO-2": ("released", None)}


async def test_a_later_answer_under_a_code_never_overtakes_one_that_still_waits(side: Both) -> None:
    tomorrow = DAY + timedelta(days=1)
    await side.define(item("A"), place("L1"), released("PO-1"), alias("4502", "PO-1", valid_from=tomorrow))
    await side.define(answer("4502", "confirmed", 9), answer("4502", "confirmed", 4, business_date=tomorrow))
    assert (await parked(side), await supply(side)) == ([("4502", "unknown_order")] * 2, {"PO-1": ("released", None)})
    await side.define(alias("4502", "PO-1", **LATER))
    assert (await parked(side), await supply(side)) == ([], {"PO-1": ("confirmed", 4)})


async def test_a_receipt_under_a_code_of_the_erp_counts_for_the_order_it_is_said_to_be(side: Both) -> None:
    async def still_to_come() -> list[Any]:
        rows = await side.rows("policy", "select order_id, kind from ledger where order_id is not null")
        return [tuple(row) for row in rows]

    async def days() -> list[tuple[Any, ...]]:
        rows = await side.rows("policy", "select order_id, received_on from deliveries order by order_id")
        return [tuple(row) for row in rows]

    await side.define(item("A"), place("L1"), released("PO-1"), moved("A", "receipt", 8, order_id="4503"))
    assert (await side.position("A"))[0] == 8, "the goods are there, whatever they were ordered by"
    assert (await still_to_come(), await days()) == ([("4503", "receipt")], [("4503", DAY), ("PO-1", None)])
    await side.define(alias("4503", "PO-1"))
    assert (await still_to_come(), await days()) == ([("PO-1", "receipt")], [("PO-1", DAY)])
    await side.define(moved("A", "receipt", 4, order_id="4503", day=DAY + timedelta(days=1)))
    assert (await still_to_come(), await days()) == ([("PO-1", "receipt")] * 2, [("PO-1", DAY)])
    assert (await side.position("A"))[0] == 12
    assert (await derived_again(side)).differing == []


async def test_what_serves_a_commitment_by_another_code_flows_with_its_key_once_it_is_said_to_be_one(
    side: Both,
) -> None:
    await side.define(item("A"), place("L1"), moved("A", "reservation", 5, commitment_id="c-1"))
    await side.define(
        moved("A", "release", 3, commitment_id="WEB-1"),
        moved("A", "receipt", 9),
        moved("A", "release", 1, commitment_id="WEB-1"),
    )
    waits = [("A/L1", "unknown_commitment"), ("A/L1", "behind_an_earlier_event"), ("A/L1", "unknown_commitment")]
    assert await parked(side) == waits
    await side.define(alias("WEB-1", "c-9", "commitment"))
    assert (await side.position("A"))[1] == 5, "nobody made that one either"
    await side.define(alias("WEB-1", "c-1", "commitment", **LATER))
    assert (await parked(side), await side.position("A")) == ([], (9, 1, 0))
    assert (await derived_again(side)).differing == []


async def test_commitments_are_offered_by_the_beginning_of_their_code(side: Both) -> None:
    many = [f"web-{number:02}" for number in range(12)]
    made = [moved("A", "reservation", 1, commitment_id=code) for code in ("shop-1", "webshop", *many)]
    await side.define(item("A"), place("L1"), *made)

    async def offered(text: str, tenant: str = side.tenant) -> list[str]:
        async with side.databases["policy"].transaction(tenant) as tx:
            return await commitments.alike(tx, tenant, text)

    assert await offered("web-") == many[: commitments.ALIKE_MAX]
    assert await offered("web-1") == ["web-10", "web-11"]
    assert await offered("webs") == ["webshop"]
    assert [await offered(text) for text in ("Web", "web%", "x")] == [[], [], []]
    assert await offered("web-", "somebody-else") == []


async def test_a_release_whose_item_becomes_known_while_its_commitment_does_not_is_asked_about_anew(side: Both) -> None:
    await side.define(place("L1"), moved("x", "release", 3, commitment_id="c-7"))
    assert await parked(side) == [("x/L1", "unknown_identity")]
    await asked(side)
    assert await exceptions(side) == [("raised", "item:x")]
    await side.define(item("x"))
    assert await parked(side) == [("x/L1", "unknown_commitment")]
    await asked(side)
    assert await exceptions(side) == [("raised", "item:x"), ("resolved", "item:x"), ("raised", "commitment:c-7")]
    await side.define(moved("x", "reservation", 5, commitment_id="c-7"))
    assert (await parked(side), await side.position("x")) == ([], (0, 2, 0))


async def test_a_rebuild_leaves_out_an_answer_that_was_dropped(side: Both) -> None:
    await side.define(item("A"), place("L1"), released("PO-1"), answer("PO-0", "received"))
    async with side.databases["policy"].transaction(side.tenant) as tx:
        await parking.drop(tx, side.tenant, "PO-0", event_hash=None, reason="another shop's", by="pia")
    assert (await derived_again(side)).differing == []
    assert await parked(side) == []
