"""The live stream: told after the commit, resumed where it broke off, per tenant, and no hindrance when the process ends."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said

pytestmark = pytest.mark.integration

Event = tuple[str | None, str, Any]


@contextmanager
def listening(client: httpx2.Client, last: str | None = None) -> Iterator[Iterator[Event]]:
    """Events of a stream that is open: id, name, data. Entering waits until the server has answered."""
    headers = {"Last-Event-ID": last} if last is not None else {}
    with client.stream("GET", "/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")

        def events() -> Iterator[Event]:
            fields: dict[str, str] = {}
            for line in lines:
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    yield fields.get("id"), fields["event"], json.loads(fields["data"])
                    fields = {}
                else:
                    fields = {}

        yield events()


def until(events: Iterator[Event], name: str) -> Event:
    """The next event of this name, heartbeats and others skipped; the server's heartbeats bound the wait."""
    deadline = time.monotonic() + 20
    for event in events:
        if event[1] == name:
            return event
        assert time.monotonic() < deadline, f"no {name} within 20 s"
    raise AssertionError("the stream ended")


def test_open_page_is_told_what_changed_after_it_is_visible(gateway: Gateway) -> None:
    line = messages.issued(sku="LIVE")
    with gateway.client("planner") as client, listening(client) as events:
        gateway.publish(said(line))
        number, _, data = until(events, "recommendation")
        assert (data["sku"], data["status"], data["change"]) == ("LIVE", "pending", "new")
        assert number is not None
        found = client.get(f"/v1/recommendations/{data['recommendation_id']}")
        assert found.status_code == 200
        gateway.publish(said(messages.decided(line), "approvals"))
        assert until(events, "decision")[2]["status"] == "approved"
        gateway.publish(said(messages.ordered(line, messages.decided(line), "PO-LIVE"), "approvals"))
        assert until(events, "order")[2]["recommendation_ids"] == [line.recommendation_id]
        gateway.publish(said(messages.raised(number=9)))
        assert until(events, "exception")[2]["status"] == "open"


def test_quiet_stream_says_that_it_is_still_there(gateway: Gateway) -> None:
    with gateway.client("planner") as client, listening(client) as events:
        assert until(events, "heartbeat")[2]["now"].endswith("Z")


def test_page_that_comes_back_gets_what_it_missed_once_and_in_order(gateway: Gateway) -> None:
    with gateway.client("planner") as client:
        with listening(client) as events:
            gateway.publish(said(messages.issued(sku="A0")))
            last, _, _ = until(events, "recommendation")
        for number in range(1, 6):
            gateway.publish(said(messages.issued(sku=f"A{number}")))
        eventually(lambda: client.get("/v1/recommendations/rec-A5-367-1").status_code == 200)
        with listening(client, last) as events:
            missed = [until(events, "recommendation") for _ in range(5)]
            gateway.publish(said(messages.issued(sku="A6")))
            missed.append(until(events, "recommendation"))
    # Different items are in no order among each other; every one is told once, under a rising number.
    assert sorted(data["sku"] for _, _, data in missed) == ["A1", "A2", "A3", "A4", "A5", "A6"]
    numbers = [int(number) for number, _, _ in missed if number]
    assert numbers == sorted(set(numbers))


def test_page_from_the_future_or_too_long_ago_is_told_to_load_afresh(gateway: Gateway) -> None:
    with gateway.client("planner") as client, listening(client, "999999999") as events:
        assert next(events)[1:] == ("reset", {"reason": "too_old"})


def test_page_hears_nothing_of_another_tenant(gateway: Gateway) -> None:
    with gateway.client("planner", "globex") as globex, listening(globex) as events:
        gateway.publish(said(messages.issued(sku="ACME-ONLY")))
        gateway.publish(said(messages.issued(tenant="globex", sku="GLOBEX")))
        assert until(events, "recommendation")[2]["sku"] == "GLOBEX"


def test_many_changes_at_once_are_told_as_one(gateway: Gateway) -> None:
    lines = [said(messages.issued(sku=f"BULK{number}", run_id="run-bulk")) for number in range(400)]
    with gateway.client("planner") as client, listening(client) as events:
        # Held while they are written, the gateway finds them all at once; else its batches are as small as it is quick.
        with gateway.held():
            gateway.publish(*lines)
        assert until(events, "changed")[2]["what"] == "recommendation"


@pytest.mark.parametrize("last", ["-1", "x", "1e9", "1" * 30])
def test_bad_resume_point_is_refused(gateway: Gateway, last: str) -> None:
    with gateway.client("planner") as client:
        assert client.get("/v1/stream", headers={"Last-Event-ID": last}).status_code == 422


def test_open_stream_does_not_hold_up_the_end_and_resumes_after_it(gateway: Gateway) -> None:
    with gateway.client("planner") as client:
        with listening(client) as events:
            gateway.publish(said(messages.issued(sku="BEFORE")))
            last, _, _ = until(events, "recommendation")
            started = time.monotonic()
            assert gateway.stop(signal.SIGTERM) == 0
            assert time.monotonic() - started < 10
            # The page is told, so that it comes back with its own place instead of waiting for the connection to break.
            assert [name for _, name, _ in events if name != "heartbeat"] == ["closing"]
        gateway.publish(said(messages.issued(sku="MEANWHILE")))
        gateway.start()
        with listening(client, last) as events:
            assert until(events, "recommendation")[2]["sku"] == "MEANWHILE"


def test_stream_ends_with_its_session(gateway: Gateway) -> None:
    with gateway.client("auditor", fresh=True) as client, listening(client) as events:
        with httpx2.Client(base_url=gateway.url, cookies=dict(client.cookies)) as same:
            assert same.delete("/v1/session").status_code == 204
        assert all(name == "heartbeat" for _, name, _ in events)
