"""Parameters change by a proposal with its effect, and another person's consent; then the plan is what the effect said."""

from decimal import Decimal
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.integration.policy.seat import TENANT, Seat
from tests.integration.policy.test_planning import begin, finished, proposals

pytestmark = pytest.mark.integration
SKUS = ("A", "B", "C")
HIGHER = {"parameters": {"setup_cost": "20.00"}}


async def as_approver(
    seat: Seat, path: str, body: Any = None, who: str = "ada", key: str | None = None
) -> httpx2.Response:
    return await seat.call("POST", path, body, subject=who, role="approver", key=key)


async def planned(seat: Seat) -> None:
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])


def quantities(said: list[dict[str, Any]]) -> dict[str, Decimal]:
    """The newest proposal of each product."""
    return {one["sku"]: Decimal(one["quantity"]) for one in proposals(said)}


async def test_the_effect_is_what_the_plan_becomes_once_a_second_person_agrees(seat: Seat) -> None:
    await begin(seat, *SKUS)
    await planned(seat)
    effect = (await seat.call("POST", "/policy/preview", HIGHER)).json()
    assert (effect["items"], effect["known_items"], effect["base_version"]) == (3, 3, 1)
    assert (effect["before"]["orders"], effect["more"], effect["less"]) == (3, 3, 0)
    assert Decimal(effect["after"]["value"]) > Decimal(effect["before"]["value"])
    assert effect["currency"] == "USD"
    weights = (await seat.call("GET", "/policy/weights")).json()
    assert (weights["items"], weights["known_items"], weights["version"], weights["currency"]) == (3, 3, 1, "USD")
    assert weights["history"] is None, "nobody knows four weeks of sales yet"
    assert weights["all"]["in_force"]["setting"] == "in force" and weights["all"]["efficient"]
    assert [one["name"] for one in weights["by_class"]] == ["none"]

    made = await as_approver(seat, "/policy/proposals", HIGHER | {"reason": "lines cost more"}, key="k1")
    assert made.status_code == 201, made.text
    proposal = made.json()["proposal_id"]
    assert made.json()["effect"] == effect
    again = await as_approver(seat, "/policy/proposals", HIGHER | {"reason": "lines cost more"}, key="k1")
    assert again.json()["proposal_id"] == proposal
    own = await as_approver(seat, f"/policy/proposals/{proposal}/approve")
    assert (own.status_code, own.json()["code"]) == (409, "own_proposal")
    planner = await seat.call("POST", f"/policy/proposals/{proposal}/approve")
    assert planner.status_code == 403
    with pytest.raises(asyncpg.CheckViolationError):
        await seat.rows(
            "update policy.policy_proposals set state = 'published', version = 2, decided_by = proposed_by,"
            " decided_at = now() where proposal_id = $1",
            proposal,
        )

    put = await as_approver(seat, f"/policy/proposals/{proposal}/approve", who="bea")
    assert put.status_code == 200, put.text
    assert (put.json()["version"], put.json()["published_by"]) == (2, "ada+bea")
    told = await seat.read("policies.v1", lambda found: any(one.get("version") == 2 for one in found), "version 2")
    assert told[-1]["parameters"]["setup_cost"] == "20.00"
    assert told[-1]["reason"] == "lines cost more"
    expected = {one["sku"]: Decimal(one["after"]["quantity"]) for one in effect["changed"]}
    said = await seat.read("recommendations.v1", lambda found: quantities(found) == expected, "the plan of version 2")
    assert {one["policy_version"] for one in proposals(said)[-3:]} == {2}
    late = await as_approver(seat, f"/policy/proposals/{proposal}/approve", who="bea")
    assert (late.status_code, late.json()["code"]) == (409, "proposal_decided")


async def test_what_cannot_be_in_force_is_refused_by_name_and_an_older_base_too(seat: Seat) -> None:
    await begin(seat, "A")
    await planned(seat)
    for parameters, field in (
        ({"service_goal_b": "0.5"}, "service_goal_b"),
        ({"no_such": "1"}, "no_such"),
        ({"carrying_rate": "much"}, "carrying_rate"),
        ({"service_goal_b": "0.950"}, "parameters"),
    ):
        refused = await seat.call("POST", "/policy/preview", {"parameters": parameters})
        assert refused.status_code == 422, refused.text
        assert [one["field"] for one in refused.json()["errors"]] == [field]
    first = (await as_approver(seat, "/policy/proposals", HIGHER | {"reason": "one"}, key="k1")).json()["proposal_id"]
    other = {"parameters": {"carrying_rate": "0.30"}, "reason": "two"}
    second = (await as_approver(seat, "/policy/proposals", other, key="k2")).json()["proposal_id"]
    assert (await as_approver(seat, f"/policy/proposals/{first}/approve", who="bea")).status_code == 200
    stale = await as_approver(seat, f"/policy/proposals/{second}/approve", who="bea")
    assert (stale.status_code, stale.json()["code"]) == (409, "proposal_out_of_date")
    ended = await as_approver(seat, f"/policy/proposals/{second}/end", who="bea")
    assert ended.json()["state"] == "declined"
    listed = (await seat.call("GET", "/policy")).json()
    assert {one["proposal_id"]: one["state"] for one in listed["proposals"]} == {first: "published", second: "declined"}
    other_tenant = (await seat.call("GET", "/policy", tenant="globex")).json()
    assert (other_tenant["items"], other_tenant["proposals"]) == ([], [])
    assert listed["items"][0]["version"] == 2
    rows = await seat.rows("select count(*) as n from policy.policies where tenant = $1", TENANT)
    assert rows[0]["n"] == 2
