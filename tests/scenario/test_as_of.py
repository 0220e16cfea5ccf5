"""An item asked for as it was: a line is decided, its order goes out, answers and goods come, a sale comes late; then the
same item is asked for at moments between those steps, through all services."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cli.demo_progress import wait_until
from countersign_client import ApiProblem
from kernel.ids import derived_id
from lab.world.story import Event as Told
from tests.scenario.stage import TENANT, Stage

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]
STEPS = ("before", "decided", "released", "confirmed", "counted", "received")


@dataclass
class Story:
    """One item's story, and the moments between its steps by the clock that all services share."""

    stage: Stage
    line: dict[str, Any]
    order_id: str = ""
    moments: dict[str, datetime] = field(default_factory=dict)

    @property
    def item(self) -> tuple[str, str]:
        return self.line["sku"], self.line["location"]

    @property
    def day(self) -> str:
        """The first business day after the tiny world's today: the story is told by the real clock, and closes no day."""
        return self.stage.world.day(self.stage.world.shape.history_days).isoformat()

    def now(self) -> datetime:
        moment: datetime = self.stage.query("select clock_timestamp() as now")[0]["now"]
        return moment

    def mark(self, step: str) -> None:
        self.moments[step] = self.now()

    def asked(self, at: datetime, known_at: datetime | None = None) -> dict[str, Any]:
        known = {"known_at": text(known_at)} if known_at else {}
        sku, location = self.item
        found: dict[str, Any] = self.stage.planner.get(f"/v1/items/{sku}/{location}/as-of", at=text(at), **known)
        return found

    def at(self, step: str) -> dict[str, Any]:
        return self.asked(self.moments[step])

    def tell(self, name: str, event: str, **body: Any) -> None:
        when = text(self.now())
        self.stage.tell([Told(derived_id("as-of", name), "erp/scenario", event, when, {"tenant": TENANT, **body})])
        self.stage.settle()

    def stock(self, name: str, event: str, quantity: int, moment: str, at: datetime, **more: Any) -> None:
        sku, location = self.item
        when = {"business_date": self.day, moment: text(at)}
        self.tell(name, event, sku=sku, location=location, quantity=str(quantity), **when, **more)

    def answer(self, name: str, status: str, quantity: str) -> None:
        at = self.now()
        sku, location = self.item
        told = {"order_id": self.order_id, "status": status, "location": location, "updated_at": text(at)}
        lines = [{"sku": sku, "quantity": quantity}]
        self.tell(name, "order.updated.v1", business_date=self.day, lines=lines, **told)


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def story(stage: Stage) -> Story:
    """A line approved by a person and ordered; half confirmed, then received; the shelf counted between."""
    waiting: list[dict[str, Any]] = []

    def is_planned() -> bool:  # a location's plan waits a little for forecasts that may still come
        lines = stage.planner.get("/v1/recommendations", status="pending", limit=50)["items"]
        waiting[:] = [one for one in lines if one["action"] == "buy"]
        return bool(waiting)

    assert wait_until(is_planned, seconds=60)
    stage.settle()
    told = Story(stage, waiting[0])
    told.mark("before")
    identity = str(told.line["recommendation_id"])
    with stage.access.person(stage.local.gateway_url, "approver") as approver:
        decision = stage.planner.decide(identity, int(told.line["version"]), "approve")
        if decision["status"] == "awaiting_second":
            decision = approver.decide(identity, int(decision["version"]), "approve")
    # By the clock of who decided: each process carries the database's on by itself, a little ahead of it or behind.
    made = stage.query("select max(decided_at) as at from approvals.decisions where recommendation_id = $1", identity)
    told.moments["decided"] = made[0]["at"]

    def is_ordered() -> bool:
        rows = stage.query("select order_id from approvals.order_lines where recommendation_id = $1", identity)
        told.order_id = rows[0]["order_id"] if rows else ""
        return bool(rows)

    assert wait_until(is_ordered, seconds=60)
    stage.settle()
    told.mark("released")
    half = format(Decimal(told.line["quantity"]) / 2, "f")
    told.answer("confirmation", "confirmed", half)
    told.mark("confirmed")
    told.stock("count", "stock.counted.v1", 70, "counted_at", told.now())
    told.mark("counted")
    told.stock("goods", "stock.moved.v1", 9, "moved_at", told.now(), kind="receipt", order_id=told.order_id)
    told.answer("receipt", "received", "9")
    told.mark("received")
    return told


def test_position_follows_the_moment(story: Story) -> None:
    shelf = {step: story.at(step)["position"]["on_hand"]["quantity"] for step in STEPS}
    assert (shelf["counted"], shelf["received"]) == ("70", "79")
    assert shelf["before"] == shelf["confirmed"], "a decision and an answer move nothing on the shelf"
    now = story.asked(story.now())
    today = story.stage.panel(*story.item)["position"]
    assert now["position"]["on_hand"]["quantity"] == today["on_hand"]
    assert (now["on_order"], now["inventory_position"]) == (today["on_order"], today["inventory_position"])
    assert story.at("counted")["position"]["on_hand"]["counted"]["quantity"] == "70"


def test_recommendation_and_decision_are_those_of_the_moment(story: Story) -> None:
    before, decided, released = (story.at(step)["recommendation"] for step in ("before", "decided", "released"))
    assert before["recommendation_id"] == decided["recommendation_id"] == story.line["recommendation_id"]
    assert (before["status"], before["decision"]) == ("pending", None)
    assert decided["decision"]["verdict"] == "approved"
    assert decided["decision"]["order_id"] in (None, story.order_id), "it may have gone out at once"
    made = story.stage.query(
        "select decision_id, order_id from approvals.order_lines where recommendation_id = $1",
        story.line["recommendation_id"],
    )
    assert decided["decision"]["decision_id"] == made[0]["decision_id"]
    if released["recommendation_id"] == story.line["recommendation_id"]:  # nothing fresher had come by then
        assert (released["status"], released["decision"]["order_id"]) == ("released", story.order_id)
    planned = story.at("before")["planned"]
    assert planned["recommendation_id"] == story.line["recommendation_id"]
    assert Decimal(planned["on_hand"]) == Decimal(story.line["on_hand"])


def test_open_order_carries_its_evidence(story: Story) -> None:
    quantity = Decimal(story.line["quantity"])
    of = {step: {one["order_id"]: one for one in story.at(step)["open_orders"]} for step in STEPS}
    assert story.order_id not in of["before"]
    assert Decimal(of["released"][story.order_id]["open"]) == quantity
    confirmed = of["confirmed"][story.order_id]
    assert (Decimal(confirmed["open"]), confirmed["status"]) == (quantity / 2, "confirmed")
    assert len(confirmed["answers"]) == 1
    assert story.order_id not in of["received"]
    awaiting = story.at("decided")
    assert Decimal(awaiting["on_order"]) - Decimal(story.at("before")["on_order"]) == quantity, "on order once approved"


def test_late_sale_changes_what_was_and_not_what_was_known(story: Story) -> None:
    moment = story.moments["counted"]
    sold_at = moment + (story.moments["received"] - moment) / 2
    story.stock("late", "sale.recorded.v1", 6, "sold_at", sold_at)
    then, known = story.moments["received"], story.at("received")
    assert known["position"]["on_hand"]["quantity"] == "73"
    assert known["position_as_known"]["on_hand"]["quantity"] == "79"
    assert [(one["kind"], one["quantity"]) for one in known["late"]] == [("sale", "6")]
    since = story.asked(then, story.now())
    assert since["position_as_known"] == since["position"]
    assert since["late"] == []


def test_policy_and_forecast_of_the_moment_have_their_ids(story: Story) -> None:
    found = story.at("before")
    assert found["policy"]["version"] == 1
    assert found["forecast"]["forecast_id"] == found["planned"]["forecast_id"]


def test_moment_before_the_first_event_and_one_to_come_are_refused(story: Story) -> None:
    with pytest.raises(ApiProblem) as early:
        story.asked(datetime(2010, 1, 1, tzinfo=UTC))
    assert (early.value.status, early.value.code) == (404, "nothing_known_then")
    with pytest.raises(ApiProblem) as future:
        story.asked(story.now() + timedelta(hours=1))
    assert (future.value.status, future.value.code) == (422, "moment_in_future")
    with pytest.raises(ApiProblem) as unknown:
        story.stage.planner.get("/v1/items/nobody/nowhere/as-of", at=text(story.now()))
    assert (unknown.value.status, unknown.value.code) == (404, "nothing_known_then")


def test_moment_without_an_offset_is_refused(story: Story) -> None:
    sku, location = story.item
    with pytest.raises(ApiProblem) as vague:
        story.stage.planner.get(f"/v1/items/{sku}/{location}/as-of", at="2017-11-05T12:00:00")
    assert vague.value.status == 422
