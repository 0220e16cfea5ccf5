"""Deciding over HTTP: versions, idempotency, authority, races, and what goes wrong in which words."""

import asyncio
import uuid
from collections import Counter
from typing import Any

import httpx2
import pytest

from schemas.decisions import LineCommented
from schemas.topics import DECISIONS
from tests.integration.approvals.seat import Seat, issued

pytestmark = pytest.mark.integration


async def test_fifty_people_decide_one_line_at_once_and_exactly_one_wins(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    people = [seat.person(f"planner-{n}", "planner") for n in range(50)]
    verdicts: list[tuple[str, dict[str, Any]]] = [
        ("approve", {}),
        ("reject", {"reason": "not_needed"}),
        ("amend", {"quantity": "60", "reason": "cash"}),
    ]
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=50)) as client:

        async def decide(number: int) -> httpx2.Response:
            verdict, body = verdicts[number % 3]
            return await people[number].decide("rec-0001", verdict, client=client, **body)

        answers = await asyncio.gather(*(decide(n) for n in range(50)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 49}
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    (made,) = await seat.sql("select decided_by, verdict from decisions")
    assert winner.json()["line"]["decided_by"] == made["decided_by"]
    for answer in answers:
        if answer.status_code == 412:
            assert made["decided_by"] in answer.json()["detail"] and answer.json()["current"]["version"] == 1
    assert len(await seat.decisions()) == 1


async def test_missing_or_wrong_headers_are_refused_before_anything_happens(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    ann = seat.person("ann", "planner")
    path, body = "/lines/rec-0001/decisions", {"verdict": "approve"}
    cases = [
        ({"if-match": '"0"'}, 400, "idempotency_key_missing"),
        ({"idempotency-key": "k"}, 428, "if_match_missing"),
        ({"idempotency-key": "k", "if-match": "*"}, 400, "if_match_invalid"),
        ({"idempotency-key": "k" * 256, "if-match": '"0"'}, 400, "idempotency_key_invalid"),
        ({"idempotency-key": "k", "if-match": '"7"'}, 412, "stale"),
    ]
    for headers, status, code in cases:
        answer = await ann.call("POST", path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
    bodies: tuple[Any, ...] = (
        {"verdict": "bless"},
        {"verdict": "approve", "approved_by": "eva"},
        {"verdict": "amend", "quantity": "many"},
        [],
    )
    for wrong in bodies:
        answer = await ann.call(
            "POST", path, json=wrong, headers={"idempotency-key": uuid.uuid4().hex, "if-match": '"0"'}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    illegal = await ann.decide("rec-0001", "amend", quantity="55", reason="cash")
    assert illegal.status_code == 422
    assert illegal.json()["errors"] == [
        {"field": "quantity", "reason": illegal.json()["detail"], "nearest_legal": "60"}
    ]
    assert (await seat.sql("select count(*) from decisions"))[0][0] == 0


async def test_same_key_gives_the_same_answer_and_happens_once(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(1), issued(2)])
    await seat.wait_for_lines(2)
    ann, ben, zoe = (
        seat.person("ann", "planner"),
        seat.person("ben", "planner"),
        seat.person("ann", "planner", tenant="other"),
    )
    first = await ann.decide("rec-0001", "approve", key="one")
    again = await ann.decide("rec-0001", "approve", key="one")
    assert (again.status_code, again.content, again.headers["etag"]) == (200, first.content, first.headers["etag"])
    assert again.headers["idempotency-replayed"] == "true"
    other_body = await ann.decide("rec-0001", "reject", key="one", reason="not_needed")
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    other_route = await ann.decide("rec-0002", "approve", key="one")
    assert other_route.status_code == 200, "the key is the route's own"
    other_person = await ben.decide("rec-0001", "approve", key="one")
    assert other_person.status_code == 412, (
        "the key is the person's own: ben is told what ann did, not given her answer"
    )
    other_tenant = await zoe.decide("rec-0001", "approve", key="one")
    assert (other_tenant.status_code, other_tenant.json()["code"]) == (404, "line_not_found")
    refused = await ben.decide("rec-0001", "approve", key="two", version=1)
    repeated = await ben.decide("rec-0001", "approve", key="two", version=1)
    assert (refused.status_code, repeated.status_code, refused.content) == (409, 409, repeated.content)
    assert (await seat.sql("select count(*) from decisions"))[0][0] == 2


async def test_same_key_twice_at_once_is_one_decision(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    ann = seat.person("ann", "planner")
    async with httpx2.AsyncClient() as client:
        answers = await asyncio.gather(
            *(ann.decide("rec-0001", "approve", key="twice", client=client) for _ in range(10))
        )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request_in_progress"}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert (await seat.sql("select count(*) from decisions"))[0][0] == 1


async def test_role_that_does_not_decide_is_forbidden_but_may_look(patient_seat: Seat) -> None:
    await patient_seat.send([issued(1)])
    await patient_seat.wait_for_lines(1)
    expected = {
        "admin": "role_excluded",
        "auditor": "role_excluded",
        "service": "role_missing",
        "wizard": "role_missing",
    }
    for role, code in expected.items():
        person = patient_seat.person("x", role)
        answer = await person.decide("rec-0001", "approve")
        assert (answer.status_code, answer.json()["code"]) == (403, code)
        assert (await person.call("GET", "/lines")).json()["total"] == 1


async def test_token_for_another_service_or_none_is_refused(patient_seat: Seat) -> None:
    person = patient_seat.person("ann", "planner")
    for headers in (
        {"authorization": ""},
        {"authorization": "Bearer " + patient_seat.mint.token(person.principal, "audit")},
    ):
        answer = await person.call("GET", "/lines", headers=headers)
        assert answer.status_code == 401


async def test_bulk_answers_line_by_line_and_one_refusal_holds_up_nobody(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(n) for n in range(1, 4)])
    await seat.wait_for_lines(3)
    ann = seat.person("ann", "planner")
    await ann.decide("rec-0002", "reject", reason="not_needed")
    wanted = [("rec-0001", 0), ("rec-0002", 0), ("rec-9999", 0), ("rec-0003", 0), ("rec-0003", 0)]
    body = {
        "verdict": "approve",
        "lines": [{"recommendation_id": name, "version": version} for name, version in wanted],
    }
    answer = await ann.call("POST", "/decisions:bulk", json=body, headers={"idempotency-key": "b"})
    results = answer.json()["results"]
    assert [(one["recommendation_id"], one["status_code"]) for one in results] == [
        ("rec-0001", 200), ("rec-0002", 412), ("rec-9999", 404), ("rec-0003", 200), ("rec-0003", 412)
    ]  # fmt: skip
    assert (answer.json()["succeeded"], answer.json()["failed"]) == (2, 3)
    again = await ann.call("POST", "/decisions:bulk", json=body, headers={"idempotency-key": "b"})
    assert again.content == answer.content
    too_many = {"verdict": "approve", "lines": [{"recommendation_id": f"r{n}", "version": 0} for n in range(201)]}
    assert (
        await ann.call("POST", "/decisions:bulk", json=too_many, headers={"idempotency-key": "c"})
    ).status_code == 422


async def test_undo_returns_the_line_and_it_can_be_decided_again(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    ann = seat.person("ann", "planner")
    await ann.decide("rec-0001", "amend", quantity="60", reason="cash")
    stale = await ann.call("POST", "/lines/rec-0001/undo", headers={"if-match": '"0"'})
    assert stale.status_code == 412
    undone = await ann.call("POST", "/lines/rec-0001/undo", headers={"if-match": '"1"'})
    assert (undone.json()["status"], undone.json()["line"]["quantity"], undone.headers["etag"]) == (
        "pending",
        "50",
        '"2"',
    )
    assert (await ann.decide("rec-0001", "approve", version=2)).status_code == 200
    line = (await ann.call("GET", "/lines/rec-0001")).json()
    assert [one["verdict"] for one in line["decisions"]] == ["amended", "undone", "approved"]
    assert [one.version for one in await seat.decisions()] == [1, 2, 3]


async def test_queue_is_ranked_by_money_at_risk_and_pages_without_gaps(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(n, supplier=f"SUP-{n % 2}") for n in range(1, 26)])
    await seat.wait_for_lines(25)
    ann = seat.person("ann", "planner")
    seen: list[str] = []
    cursor = None
    while True:
        page = (await ann.call("GET", f"/lines?limit=10{f'&cursor={cursor}' if cursor else ''}")).json()
        seen += [line["recommendation_id"] for line in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"rec-{n:04}" for n in range(25, 0, -1)] and page["total"] == 25
    assert (await ann.call("GET", "/lines?supplier=SUP-1&min_value=500")).json()["total"] == 13
    assert (await ann.call("GET", "/lines?min_value=500.01")).json()["total"] == 0
    for bad in ("/lines?cursor=x", "/lines?status=odd", "/lines?limit=0", "/orders?cursor=x"):
        assert (await ann.call("GET", bad)).status_code in (400, 422)
    assert (await seat.person("zoe", "planner", tenant="other").call("GET", "/lines?status=all")).json()["total"] == 0


async def test_a_comment_is_an_event_with_who_and_when_and_decides_nothing(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    ann, eve = seat.person("ann", "planner"), seat.person("eve", "auditor")
    path = "/lines/rec-0001/comments"
    said = await ann.call("POST", path, json={"text": "  call them first "}, headers={"idempotency-key": "c1"})
    assert said.status_code == 201, said.text
    again = await ann.call("POST", path, json={"text": "  call them first "}, headers={"idempotency-key": "c1"})
    assert again.json() == said.json()
    assert (await eve.call("POST", path, json={"text": "why?"}, headers={"idempotency-key": "c2"})).status_code == 201
    for body, status in (({"text": "   "}, 422), ({"text": "x" * 1001}, 422)):
        assert (await ann.call("POST", path, json=body, headers={"idempotency-key": "c3"})).status_code == status
    nobody = await ann.call("POST", "/lines/nobody/comments", json={"text": "x"}, headers={"idempotency-key": "c4"})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "line_not_found")
    told = [one.body for one in await seat.read(DECISIONS) if isinstance(one.body, LineCommented)]
    assert [(one.commented_by, one.role, one.text) for one in told] == [
        ("ann", "planner", "call them first"),
        ("eve", "auditor", "why?"),
    ]
    assert {one.line_id for one in told} == {said.json()["line_id"]}
    (line,) = await seat.sql("select version, state from lines")
    assert (line["version"], line["state"]) == (0, "pending")
