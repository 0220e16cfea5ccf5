"""Which lines people overruled, and who did: from decisions as approvals publish them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kit.database import Database
from services.gateway.store import overruled
from tests.ground import wait_for
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said

pytestmark = pytest.mark.integration
BEFORE = date(2017, 11, 1)
NAMES = ("SIGNED", "UNDONE", "REFUSED", "RECALLED", "TAKEN", "AGAIN", "VOID")
SIGNED, UNDONE, REFUSED, RECALLED, TAKEN, AGAIN, VOID = (messages.issued(sku=name) for name in NAMES)
AFRESH = messages.issued(sku="AGAIN", number=2)
MORE: dict[str, Any] = {"quantity": Decimal(400), "reason_code": "event_known"}
STORY = (
    # Raised by ann, which took a second signature: hers, though bob's word was the last.
    messages.decided(SIGNED, "first_signature", decided_by="ann", **MORE),
    messages.decided(SIGNED, "approved", 2, decided_by="bob", quantity_before=Decimal(400), quantity=Decimal(400)),
    messages.decided(UNDONE, "amended", **MORE),
    messages.decided(UNDONE, "undone", 2, quantity_before=Decimal(400)),
    messages.decided(REFUSED, "rejected", reason_code="not_needed"),
    messages.decided(RECALLED, "amended", **MORE),
    messages.decided(RECALLED, "recalled", 2, quantity_before=Decimal(400), quantity=Decimal(400), reason_code="other"),
    messages.decided(TAKEN, "approved"),
    # Refused, and taken when it was proposed again: the refusal stays what it was.
    messages.decided(AGAIN, "rejected", reason_code="cash"),
    messages.decided(AFRESH, "approved", 2),
    # Two signatures for the proposal itself.
    messages.decided(VOID, "first_signature", decided_by="ann"),
    messages.decided(VOID, "approved", 2, decided_by="bob"),
)


def found(gateway: Gateway, limit: int = 100) -> tuple[list[dict[str, Any]], int]:
    async def read() -> Any:
        database = await Database.open(gateway.database.url("gateway"), "gateway")
        try:
            async with database.transaction("acme") as tx:
                return await overruled.lines(tx, "acme", BEFORE, limit)
        finally:
            await database.close()

    rows, total = wait_for(read())
    return rows, total


@pytest.fixture(scope="module")
def told(gateway: Gateway) -> Gateway:
    gateway.publish(*[said(one) for one in (SIGNED, UNDONE, REFUSED, RECALLED, TAKEN, AGAIN, VOID, AFRESH)])
    gateway.publish(*[said(one, "approvals") for one in STORY])
    with gateway.client("planner") as planner:
        eventually(lambda: planner.get("/v1/usage", params={"days": 1}).json()["metered"]["decisions"] == len(STORY))
    return gateway


def test_what_stands_is_told_with_who_changed_the_quantity_and_why(told: Gateway) -> None:
    rows, total = found(told)
    assert total == 3
    shown = {(one["sku"], one["verdict"], one["quantity"], one["decided_by"], one["reason_code"]) for one in rows}
    assert shown == {
        ("SIGNED", "amended", Decimal(400), "ann", "event_known"),
        ("REFUSED", "rejected", Decimal(0), "planner", "not_needed"),
        ("AGAIN", "rejected", Decimal(0), "planner", "cash"),
    }
    assert {one["recommendation_id"] for one in rows} == {one.recommendation_id for one in (SIGNED, REFUSED, AGAIN)}, (
        "of each what was overruled, not what came after it"
    )


def test_where_there_are_more_than_asked_for_their_number_is_told(told: Gateway) -> None:
    rows, total = found(told, limit=2)
    assert (len(rows), total) == (2, 3)


def test_without_the_policy_service_nothing_is_guessed(told: Gateway) -> None:
    """The others are years old; of this one the policy service, which does not run here, would have to tell."""
    with told.client("planner") as planner:
        before = planner.get("/v1/decision-values", params={"days": 730})
        assert (before.status_code, before.json()["totals"]) == (200, [])
        today = {"decided_at": datetime.now(UTC), "decision_id": "today", "line_id": "today"}
        told.publish(
            said(messages.decided(REFUSED, "rejected", reason_code="cash").model_copy(update=today), "approvals")
        )
        answer = eventually(lambda: (a := planner.get("/v1/decision-values")).status_code != 200 and a)
        assert (answer.status_code, answer.json()["code"]) == (503, "owner_unavailable")
