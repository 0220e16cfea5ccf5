"""The client: patient where patience helps, honest where it does not, and harmless when it repeats itself."""

import json
from collections.abc import Callable

import httpx2
import pytest

from countersign_client import ApiProblem, Client, Event, Retry, Unreachable

QUICK = Retry(attempts=4, first_seconds=0.0)


def client(answer: Callable[[httpx2.Request], httpx2.Response]) -> Client:
    return Client("http://gateway.test", api_key="key", retry=QUICK, http=httpx2.MockTransport(answer))


def accept(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(
        200, json={"results": [{"id": one["id"], "result": "accepted"} for one in json.loads(request.content)]}
    )


def sale(number: int, note: str = "") -> Event:
    return Event.new(
        "sale.recorded.v1", "pos/1", {"sku": "A", "note": note}, event_id=f"line-{number}", time="2017-11-05T18:04:11Z"
    )


def test_events_go_in_batches_and_keep_their_order() -> None:
    sizes: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sizes.append(len(json.loads(request.content)))
        return accept(request)

    with client(answer) as gateway:
        report = gateway.send(sale(number) for number in range(1200))
    assert sizes == [500, 500, 200]
    assert [result.index for result in report.results] == list(range(1200))
    assert [result.id for result in report.results] == [f"line-{number}" for number in range(1200)]
    assert report.accepted == 1200


def test_large_events_are_split_by_bytes() -> None:
    sizes: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sizes.append(len(request.content))
        return accept(request)

    with client(answer) as gateway:
        gateway.send(sale(number, "x" * 300_000) for number in range(5))
    assert len(sizes) == 3
    assert max(sizes) < 1_000_000


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_answer_of_the_moment_is_tried_again_with_the_same_bytes(status: int) -> None:
    seen: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return httpx2.Response(status, headers={"retry-after": "0"}) if len(seen) < 3 else accept(request)

    with client(answer) as gateway:
        assert gateway.send([sale(1)]).accepted == 1
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_lost_connection_is_tried_again_and_then_reported_with_the_way_out() -> None:
    calls = 0

    def answer(request: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        raise httpx2.ConnectError("refused", request=request)

    with client(answer) as gateway, pytest.raises(Unreachable, match=r"4 attempts.*refused.*\./run status"):
        gateway.status()
    assert calls == 4


def test_a_refusal_is_not_tried_again_and_carries_its_problem() -> None:
    calls = 0

    def answer(request: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        return httpx2.Response(
            412,
            json={
                "code": "version_conflict",
                "title": "It has changed",
                "detail": "Ann approved it.",
                "errors": [{"field": "If-Match", "reason": "stale"}],
            },
        )

    with client(answer) as gateway, pytest.raises(ApiProblem) as caught:
        gateway.decide("r1", 3, "approve")
    assert calls == 1
    assert (caught.value.status, caught.value.code) == (412, "version_conflict")
    assert "Ann approved it." in str(caught.value)
    assert "If-Match: stale" in str(caught.value)


def test_a_decision_says_which_version_was_seen_and_keeps_its_idempotency_key_over_retries() -> None:
    headers: list[tuple[str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        headers.append((request.headers["if-match"], request.headers["idempotency-key"]))
        return httpx2.Response(503) if len(headers) == 1 else httpx2.Response(200, json={"status": "approved"})

    with client(answer) as gateway:
        gateway.decide("r1", 3, "approve")
    assert len(headers) == 2
    assert headers[0] == headers[1]
    assert headers[0][0] == '"3"'


def test_each_rejected_event_names_its_place_field_and_reason() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        rejected = {
            "index": 1,
            "id": "line-1",
            "result": "rejected",
            "field": "data.quantity",
            "reason": "must be greater than 0",
        }
        return httpx2.Response(200, json={"results": [{"index": 0, "id": "line-0", "result": "duplicate"}, rejected]})

    with client(answer) as gateway:
        report = gateway.send([sale(0), sale(1)])
    (rejected,) = report.rejected
    assert (rejected.index, rejected.field, rejected.reason) == (1, "data.quantity", "must be greater than 0")
    assert (report.accepted, report.duplicate) == (0, 1)


def test_lists_are_read_over_all_pages() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        cursor = request.url.params.get("cursor")
        return httpx2.Response(
            200,
            json={"items": [{"n": 2}], "next_cursor": None} if cursor else {"items": [{"n": 1}], "next_cursor": "c1"},
        )

    with client(answer) as gateway:
        assert [row["n"] for row in gateway.recommendations(limit=1)] == [1, 2]


def groups(request: httpx2.Request, size: int = 500) -> list[dict[str, object]]:
    """What the gateway would say to these lines, the seventh of each request being bad."""
    ids = [json.loads(line)["id"] for line in request.content.splitlines()]
    told: list[dict[str, object]] = []
    for start in range(0, len(ids), size):
        group = ids[start : start + size]
        bad = 1 if start == 0 else 0
        if bad:
            told.append({"index": 6, "id": ids[6], "result": "rejected", "field": "data.sku", "reason": "is empty"})
        told.append({"through": start + len(group) - 1, "accepted": len(group) - bad, "duplicates": 0, "rejected": bad})
    return [*told, {"done": True}]


def in_lines(told: list[dict[str, object]], cut: int = 0) -> httpx2.Response:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in told)
    return httpx2.Response(200, content=body[: len(body) - cut], headers={"content-type": "application/x-ndjson"})


def test_a_stream_counts_and_names_what_was_rejected_by_its_place_in_the_whole() -> None:
    with client(lambda request: in_lines(groups(request))) as gateway:
        report = gateway.stream(sale(number) for number in range(20_600))
    assert (report.accepted, report.duplicate) == (20_598, 0)
    assert [(one.index, one.id) for one in report.rejected] == [(6, "line-6"), (20_006, "line-20006")]


def test_a_stream_that_breaks_off_goes_on_behind_what_is_settled() -> None:
    sent: list[list[str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append([json.loads(line)["id"] for line in request.content.splitlines()])
        told = groups(request)
        if len(sent) == 1:
            return in_lines(told[:3], cut=5)  # the second group's line is cut off: its fate is not known
        if len(sent) == 2:
            problem = {"status": 503, "code": "kafka_unavailable", "title": "Kafka does not answer"}
            return in_lines([*told[:2], {"problem": problem}])
        return in_lines(told)

    with client(answer) as gateway:
        report = gateway.stream(sale(number) for number in range(1600))
    assert [len(ids) for ids in sent] == [1600, 1100, 600]
    assert [ids[0] for ids in sent] == ["line-0", "line-500", "line-1000"]
    assert report.accepted + len(report.rejected) == 1600


def test_a_stream_that_is_refused_for_good_says_so_and_one_that_never_moves_ends() -> None:
    with (
        client(lambda _: httpx2.Response(403, json={"code": "role_missing"})) as gateway,
        pytest.raises(ApiProblem, match="role_missing"),
    ):
        gateway.stream([sale(1)])
    stuck = in_lines([{"problem": {"status": 503, "code": "kafka_unavailable"}}])
    with client(lambda _: stuck) as gateway, pytest.raises(ApiProblem, match="kafka_unavailable"):
        gateway.stream([sale(1)])
