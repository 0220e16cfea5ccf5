"""A caller that has an answer is not sent it again until it says something else, and no caller has another's."""

from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest

from kit.events import Outgoing
from schemas.catalogue import SupplierDefined
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said

pytestmark = pytest.mark.integration

LINE, OTHER = messages.issued(), messages.issued(sku="BREAD")
ORDER = messages.ordered(LINE, messages.decided(LINE))
RENAMED = SupplierDefined(
    tenant="acme", defined_at=messages.NOW + timedelta(hours=1), supplier="SUP-17", name="Meadow Dairy & Sons"
)
SECOND = messages.ordered(OTHER, messages.decided(OTHER), "PO-2")
# Each read, and an event after which it says something else; one after the other, so that the ones before are left alone.
CHANGES: dict[str, Outgoing] = {
    "/v1/orders/PO-1": said(messages.answered(ORDER), "gateway"),
    "/v1/orders": said(SECOND, "approvals"),
    "/v1/orders?q=meadow&limit=1": said(RENAMED, "gateway"),
    "/v1/exceptions": said(messages.raised(number=2)),
    "/v1/exceptions?day=true": said(messages.raised(number=3)),
    "/v1/policy": said(messages.policy(version=15)),
}
FIXED = ("/v1/openapi.json", "/v1/asyncapi.json")


@pytest.fixture(scope="module")
def planner(gateway: Gateway) -> Iterator[httpx2.Client]:
    gateway.publish(
        *[said(one, "gateway") for one in messages.masters()],
        said(LINE),
        said(OTHER),
        said(messages.decided(LINE), "approvals"),
        said(messages.decided(OTHER), "approvals"),
        said(ORDER, "approvals"),
        said(messages.raised()),
        said(messages.policy()),
    )
    with gateway.client("planner") as client:
        for path in ("/v1/orders?q=meadow", "/v1/exceptions", "/v1/policy"):
            eventually(lambda path=path: client.get(path).json()["items"])
        yield client


def again(client: httpx2.Client, path: str, tag: str) -> httpx2.Response:
    return client.get(path, headers={"If-None-Match": tag})


@pytest.mark.parametrize("path", [*CHANGES, *FIXED])
def test_what_a_caller_has_is_not_sent_again(planner: httpx2.Client, path: str) -> None:
    first = planner.get(path)
    tag = first.headers["etag"]
    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    for named in (tag, f"W/{tag}", f'"of before", {tag}', "*"):
        answer = again(planner, path, named)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["cache-control"] == "private, no-cache"
    stale = again(planner, path, '"of before"')
    assert (stale.status_code, stale.content) == (200, first.content)


@pytest.mark.parametrize("path", CHANGES)
def test_what_says_something_else_is_sent_and_what_does_not_is_not(
    gateway: Gateway, planner: httpx2.Client, path: str
) -> None:
    tag, policy = planner.get(path).headers["etag"], planner.get("/v1/policy").headers["etag"]
    assert again(planner, path, tag).status_code == 304
    gateway.publish(CHANGES[path])
    answer = eventually(lambda: (one := again(planner, path, tag)).status_code == 200 and one)
    assert answer.headers["etag"] != tag
    assert answer.json() == planner.get(path).json()
    if path != "/v1/policy":
        assert again(planner, "/v1/policy", policy).status_code == 304, (
            "an event about something else changes nothing here"
        )


@pytest.mark.parametrize("path", CHANGES)
def test_tag_of_another_tenant_or_question_is_no_tag_of_this_answer(
    gateway: Gateway, planner: httpx2.Client, path: str
) -> None:
    tag = planner.get(path).headers["etag"]
    with gateway.client("planner", "globex") as other:
        theirs = again(other, path, tag)
    assert theirs.status_code == (404 if path.endswith("PO-1") else 200)
    assert theirs.headers.get("etag") != tag
    with gateway.anonymous() as nobody:
        assert again(nobody, path, tag).status_code == 401


def test_order_nobody_knows_has_no_tag(planner: httpx2.Client) -> None:
    answer = again(planner, "/v1/orders/PO-unheard-of", "*")
    assert (answer.status_code, "etag" in answer.headers) == (404, False)


def test_pages_of_a_list_have_tags_of_their_own(gateway: Gateway, planner: httpx2.Client) -> None:
    gateway.publish(said(messages.raised(number=4)))
    first = eventually(lambda: (one := planner.get("/v1/exceptions?limit=1")).json()["next_cursor"] and one)
    following = {"limit": 1, "cursor": first.json()["next_cursor"]}
    second = planner.get("/v1/exceptions", params=following)
    assert first.headers["etag"] != second.headers["etag"]
    answer = planner.get("/v1/exceptions", params=following, headers={"If-None-Match": first.headers["etag"]})
    assert (answer.status_code, answer.content) == (200, second.content)


def test_what_can_be_asked_conditionally_says_so_in_the_description(planner: httpx2.Client) -> None:
    described = planner.get("/v1/openapi.json").json()["paths"]
    plain = {path.partition("?")[0].replace("PO-1", "{order_id}") for path in (*CHANGES, *FIXED)}
    for path in plain:
        assert "304" in described[path]["get"]["responses"], path
        assert "application/json" in described[path]["get"]["responses"]["200"]["content"], path
