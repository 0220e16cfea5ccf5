"""The approval matrix on a running service: proposed by one, put in force by another, and followed from then on."""

import asyncio
import signal
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2

from schemas.catalogue import ItemDefined, OwnerScopeDefined
from schemas.matrix import ApprovalMatrixPublished
from schemas.topics import POLICIES
from tests.integration.approvals.seat import WHEN, Person, Seat, issued

TODAY = datetime.now(UTC).date()


async def post(person: Person, path: str, json: Any = None) -> httpx2.Response:
    return await person.call("POST", path, json=json, headers={"idempotency-key": uuid.uuid4().hex})


async def test_matrix_is_put_in_force_by_another_person_and_asks_for_an_approver(patient_seat: Seat) -> None:
    seat = patient_seat
    ann, eva, ida = seat.person("ann", "planner"), seat.person("eva", "approver"), seat.person("ida", "approver")
    await seat.send([issued(1), issued(2, supplier="SUP-18")])
    await seat.wait_for_lines(2)
    rule = {"code": "afar", "says": "From afar.", "scope": {"suppliers": ["SUP-17"]}, "signatures": "approver"}
    wanted = {"matrix": {"rules": [rule]}, "reason": "customs"}
    assert (await post(ann, "/matrix/proposals", wanted)).status_code == 403
    bad = await post(eva, "/matrix/proposals", {"matrix": {"rules": [rule | {"signatures": "five"}]}, "reason": "x"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "rules.0.signatures"
    proposed = (await post(eva, "/matrix/proposals", wanted)).json()
    assert (proposed["effect"]["waiting"], proposed["effect"]["more"]) == (2, 1)
    place = f"/matrix/proposals/{proposed['proposal_id']}/approve"
    assert (await post(eva, place)).json()["code"] == "own_proposal"
    assert (await ann.decide("line-0001", "approve")).json()["status"] == "approved", "not in force yet"
    published = await post(ida, place)
    assert (published.status_code, published.json()["version"]) == (200, 1)
    assert (await post(ida, place)).json()["code"] == "proposal_decided"
    await seat.send([issued(3)])
    await seat.wait_for("select count(*) = 3 from lines")
    assert (await ann.decide("line-0002", "approve")).json()["status"] == "approved", "another supplier"
    assert (await ann.decide("line-0003", "approve")).json()["status"] == "awaiting_second"
    assert (await eva.decide("line-0003", "approve", version=1)).json()["status"] == "approved"
    (told,) = [one.body for one in await seat.read(POLICIES) if isinstance(one.body, ApprovalMatrixPublished)]
    assert (told.version, told.proposed_by, told.approved_by) == (1, "eva", "ida")
    assert next(one.limits["asked_by"] for one in await seat.decisions() if one.line_id == "line-0003") == "afar"


async def test_split_order_is_seen_also_when_two_people_sign_at_the_same_moment(patient_seat: Seat) -> None:
    seat = patient_seat
    ann, eva, ida = seat.person("ann", "planner"), seat.person("eva", "approver"), seat.person("ida", "approver")
    proposed = (
        await post(eva, "/matrix/proposals", {"matrix": {"rolling_value_above": "1000.00"}, "reason": "splitting"})
    ).json()
    assert (await post(ida, f"/matrix/proposals/{proposed['proposal_id']}/approve")).status_code == 200
    await seat.send([issued(number) for number in range(1, 9)])
    await seat.wait_for_lines(8)
    people = [seat.person(f"planner-{number}", "planner") for number in range(1, 7)]
    answers = await asyncio.gather(
        *(one.decide(f"line-000{number}", "approve") for number, one in enumerate(people, 1))
    )
    assert sorted(answer.json()["status"] for answer in answers) == ["approved"] * 2 + ["awaiting_second"] * 4
    keys = {"idempotency-key": uuid.uuid4().hex}
    lines = [{"recommendation_id": f"rec-000{number}", "version": 0} for number in (7, 8)]
    bulk = await ann.call("POST", "/decisions:bulk", json={"verdict": "approve", "lines": lines}, headers=keys)
    assert {one["status"] for one in bulk.json()["results"]} == {"awaiting_second"}


async def test_coverage_delegation_and_owner_follow_who_covers_the_category(patient_seat: Seat) -> None:
    seat = patient_seat
    ann, ben, eva, ida = (
        seat.person("ann", "planner"),
        seat.person("ben", "planner"),
        seat.person("eva", "approver"),
        seat.person("ida", "approver"),
    )
    catalogue = [
        ItemDefined(tenant="acme", defined_at=WHEN, sku="sku-0001", name="Brie", category="cheese"),
        OwnerScopeDefined(tenant="acme", defined_at=WHEN, owner="ann", categories=("cheese",)),
    ]
    await seat.send(catalogue, source="gateway")
    await seat.wait_for("select count(*) = 1 from owner_scopes")
    await seat.send([issued(1), issued(2)])
    await seat.wait_for_lines(2)
    assert {row["line_id"]: row["owner"] for row in await seat.sql("select line_id, owner from lines")} == {
        "line-0001": "ann",
        "line-0002": "planner",
    }
    coverage = [
        {"subject": "ann", "scope": {"categories": ["cheese"]}},
        {"subject": "eva"},
    ]
    proposed = (await post(eva, "/matrix/proposals", {"matrix": {"coverage": coverage}, "reason": "areas"})).json()
    assert (await post(ida, f"/matrix/proposals/{proposed['proposal_id']}/approve")).status_code == 200
    refused = await ben.decide("line-0001", "approve")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_covered")
    assert (await ann.decide("line-0002", "approve")).json()["code"] == "not_covered"
    days = {"starts": TODAY.isoformat(), "ends": (TODAY + timedelta(days=1)).isoformat(), "reason": "holiday"}
    assert (await post(ann, "/delegations", {"delegate": "ann"} | days)).status_code == 422
    assert (await post(ann, "/delegations", {"delegate": "ben"} | days)).status_code == 201
    assert (await ben.decide("line-0001", "approve")).json()["status"] == "approved"
    assert {(one.line_id, one.owner) for one in await seat.assigned()} >= {
        ("line-0001", "ann"),
        ("line-0002", "planner"),
    }


async def test_line_nobody_decides_in_time_goes_to_the_next_one_once(seat: Seat) -> None:
    await seat.end(signal.SIGTERM)
    await seat.start(COUNTERSIGN_ESCALATE_EVERY_SECONDS="0.2")
    await seat.send([issued(1, route_reasons=("customer_commitment_at_risk",))])
    await seat.wait_for_lines(1)
    (line,) = await seat.sql("select due_at, pending_since from lines")
    assert line["due_at"] - line["pending_since"] == timedelta(hours=4)
    # Nobody waits four hours in a test: the line is made to have waited.
    await seat.sql("update lines set due_at = due_at - interval '5 hours'")
    await seat.wait_for("select escalated from lines")
    told = [one for one in await seat.assigned() if one.line_id == "line-0001"]
    assert {one.escalated for one in told} == {False, True}
    assert {one.asked_since for one in told} == {line["pending_since"]}  # another owner does not begin it anew
    (line,) = await seat.sql("select owner, state, version from lines")
    assert (line["owner"], line["state"], line["version"]) == ("approver", "pending", 1)
    stale = await seat.person("ann", "planner").decide("line-0001", "approve")
    assert stale.status_code == 412
    assert (await seat.person("ann", "planner").decide("line-0001", "approve", version=1)).status_code == 200
    assert [one.verdict for one in await seat.decisions()] == ["escalated", "approved"]


async def test_amended_line_keeps_its_quantity_through_a_replan_on_the_running_service(patient_seat: Seat) -> None:
    seat = patient_seat
    ann, eva = seat.person("ann", "planner"), seat.person("eva", "approver")
    await seat.send([issued(1, value=Decimal(8000), unit_cost=Decimal(160))])
    await seat.wait_for_lines(1)
    amended = await ann.decide("line-0001", "amend", quantity="60", reason="promotion_known")
    assert amended.json()["status"] == "awaiting_second"
    fresher = issued(
        1,
        recommendation_id="rec-fresh",
        supersedes="rec-0001",
        quantity=Decimal(40),
        value=Decimal(6400),
        unit_cost=Decimal(160),
    )
    await seat.send([fresher])
    await seat.wait_for("select recommendation_id = 'rec-fresh' from lines")
    (line,) = await seat.sql("select state, quantity, version, amended_by from lines")
    assert (line["state"], line["quantity"], line["amended_by"]) == ("awaiting_second", Decimal(60), "ann")
    assert (await ann.decide("rec-fresh", "approve", version=line["version"])).json()["code"] == "own_amendment"
    assert (await eva.decide("rec-fresh", "approve", version=line["version"])).json()["status"] == "approved"
