"""Who covers part of a tenant reads that part: every route, every machine, the live stream, each kind of scope."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import httpx2
import pytest

from kit.database import Database
from schemas.catalogue import ItemDefined, SupplierItemDefined
from schemas.decisions import LineCommented
from schemas.matrix import ApprovalMatrixPublished, Coverage, Delegation, Scope
from services.gateway.domain.access import ROUTES
from services.gateway.notices import discreet, tell
from services.gateway.store import coverage
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said
from tests.integration.gateway.test_stream import listening, until

pytestmark = pytest.mark.integration

MINE = messages.issued(sku="OWN", location="367", supplier="SUP-17")
# Elsewhere, from somebody else, of another category: no scope below fits it.
FOREIGN = messages.issued(sku="FOREIGN", location="FAR", supplier="SUP-99", explanation="words on FOREIGN")
LEAKS = re.compile(r"FOREIGN|FAR|SUP-99")
READS = sorted(path for method, path in ROUTES if method == "GET" and path not in ("/v1/stream", "/v1/openapi.json"))
SCOPES = (
    Scope(locations=("367",)),
    Scope(suppliers=("SUP-17",)),
    Scope(categories=("Milk",)),
    Scope(suppliers=("SUP-17",), categories=("Milk",), locations=("367", "380")),
)
TABLES = (
    *(
        "lines",
        "outcomes",
        "forecasts",
        "exceptions",
        "orders",
        "order_lines",
        "order_updates",
        "decisions",
        "comments",
    ),
    "live_events",
)


def everything_about(line: Any) -> list[Any]:
    """A line with all that hangs on it, from its product's terms to what was said of its order."""
    decision = messages.decided(line)
    order = messages.ordered(line, decision, f"PO-{line.sku}")
    comment = LineCommented(
        tenant="acme", comment_id=f"said-{line.sku}", line_id=line.line_id, recommendation_id=line.recommendation_id,
        sku=line.sku, location=line.location, text=f"about {line.sku}", commented_by="approver", role="approver",
        commented_at=messages.NOW,
    )  # fmt: skip
    category = "Milk" if line is MINE else "Bolts"
    return [
        said(
            ItemDefined(tenant="acme", defined_at=messages.NOW, sku=line.sku, name=line.sku, category=category),
            "gateway",
        ),
        said(
            SupplierItemDefined(
                tenant="acme", defined_at=messages.NOW, supplier=line.supplier, sku=line.sku, unit_cost=Decimal("1.50")
            ),
            "gateway",
        ),
        said(line),
        said(messages.forecast(sku=line.sku, location=line.location), "forecaster"),
        said(
            messages.raised(
                exception_id=f"exc-{line.sku}",
                subject=f"{line.sku}@{line.location}",
                sku=line.sku,
                location=line.location,
            )
        ),
        said(decision, "approvals"),
        said(comment, "approvals"),
        said(order, "approvals"),
        said(messages.answered(order), "gateway"),
    ]


def matrix(version: int, *covered: Coverage, limits: bool = True, given: tuple[Delegation, ...] = ()) -> Any:
    published = ApprovalMatrixPublished(
        tenant="acme", version=version, coverage=covered, delegations=given, limits_reading=limits, proposed_by="admin",
        approved_by="approver", reason="Who answers for what",
    )  # fmt: skip
    return said(published, "approvals")


ALL = Coverage(subject="approver")
STORE_367 = Coverage(subject="planner", scope=SCOPES[0])


def skus(client: httpx2.Client, path: str) -> set[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return {name for name in ("OWN", "FOREIGN") if name in answer.text}


@pytest.fixture(scope="module")
def limited(gateway: Gateway) -> Gateway:
    """All of both lines, and a matrix under which the planner covers one store."""
    gateway.publish(*everything_about(MINE), *everything_about(FOREIGN))
    with gateway.client("planner") as client:
        for path in ("/v1/items", "/v1/recommendations?status=all", "/v1/forecasts", "/v1/orders", "/v1/exceptions"):
            eventually(lambda path=path: skus(client, path) == {"OWN", "FOREIGN"})
        gateway.publish(matrix(1, ALL, STORE_367, limits=False))
        gateway.publish(matrix(2, ALL, STORE_367))
        eventually(lambda: skus(client, "/v1/items") == {"OWN"})
    return gateway


def filled(path: str, line: Any) -> str:
    values = {
        "recommendation_id": line.recommendation_id, "sku": line.sku, "location": line.location,
        "order_id": f"PO-{line.sku}", "service": "policy",
    }  # fmt: skip
    asked = f"{path}?at=2017-12-01T00:00:00Z" if path.endswith("/as-of") else path
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "0"), asked)


@pytest.fixture(scope="module")
def planner(limited: Gateway) -> Iterator[httpx2.Client]:
    with limited.client("planner") as client:
        yield client


@pytest.mark.parametrize("path", READS)
def test_no_read_shows_what_the_reader_does_not_cover(planner: httpx2.Client, path: str) -> None:
    answer = planner.get(filled(path, FOREIGN), params={"status": "all"} if path.startswith("/v1/recomm") else {})
    if "{" in path and answer.status_code in (403, 404):
        return  # a refusal names what was asked for, and nothing else about it
    assert answer.status_code in (200, 403, 422, 503), answer.text
    # The matrix says who covers what: the codes of places, nothing about them.
    assert not LEAKS.search(answer.text), answer.text


@pytest.mark.parametrize(
    "path",
    [path for path in READS if re.search(r"\{(recommendation_id|order_id|sku)\}", path)],
)
def test_thing_outside_does_not_exist(planner: httpx2.Client, path: str) -> None:
    foreign = planner.get(filled(path, FOREIGN))
    assert foreign.status_code == 404, foreign.text
    assert "words on" not in foreign.text
    # Its own is found: by the read models, or by a service that does not run here.
    assert planner.get(filled(path, MINE)).status_code in (200, 503)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/recommendations/{recommendation_id}/decisions", {"verdict": "approve"}),
        ("/v1/recommendations/{recommendation_id}/comments", {"text": "hello"}),
        ("/v1/recommendations/{recommendation_id}/undo", {}),
        ("/v1/orders/{order_id}/cancel", {"reason": "other", "note": "no"}),
        ("/v1/whatif", {"sku": FOREIGN.sku, "location": FOREIGN.location}),
    ],
)
def test_nothing_can_be_asked_of_a_thing_outside(planner: httpx2.Client, path: str, body: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "outside", "If-Match": '"0"'}
    answer = planner.post(filled(path, FOREIGN), json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"].rsplit("_", 2)[-2:]) == (404, ["not", "found"])


@pytest.mark.parametrize(
    "path",
    ["/v1/items", "/v1/positions", "/v1/forecasts", "/v1/orders", "/v1/exceptions", "/v1/recommendations?status=all"],
)
def test_lists_show_each_their_part(limited: Gateway, planner: httpx2.Client, path: str) -> None:
    assert skus(planner, path) == {"OWN"}
    with limited.client("approver") as everything, limited.client("auditor") as auditor:
        assert skus(everything, path) == skus(auditor, path) == {"OWN", "FOREIGN"}


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/exceptions", "/v1/recommendations?status=all"])
def test_tag_of_what_one_reads_is_not_that_of_who_reads_more(
    limited: Gateway, planner: httpx2.Client, path: str
) -> None:
    with limited.client("approver") as everything:
        whole = everything.get(path).headers["etag"]
    answer = planner.get(path, headers={"If-None-Match": whole})
    assert answer.status_code == 200 and answer.headers["etag"] != whole
    assert not LEAKS.search(answer.text)
    assert planner.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_tag_of_a_thing_outside_does_not_tell_that_it_exists(limited: Gateway, planner: httpx2.Client) -> None:
    with limited.client("approver") as everything:
        tag = everything.get("/v1/orders/PO-FOREIGN").headers["etag"]
    assert planner.get("/v1/orders/PO-FOREIGN", headers={"If-None-Match": tag}).status_code == 404


def test_numbers_count_what_is_covered(limited: Gateway, planner: httpx2.Client) -> None:
    with limited.client("approver") as everything:
        whole = everything.get("/v1/status").json()["counts"]
    part = planner.get("/v1/status").json()["counts"]
    assert (whole["items"], part["items"]) == (2, 1)
    assert (whole["exceptions"], part["exceptions"]) == (2, 1)
    assert [one["location"] for one in planner.get("/v1/status").json()["locations"]] == ["367"]
    assert [one["supplier"] for one in planner.get("/v1/suppliers", params={"days": 90}).json()["items"]] == ["SUP-17"]


def test_stream_tells_what_is_covered_and_nothing_else(limited: Gateway, planner: httpx2.Client) -> None:
    foreign, mine = messages.issued(sku="FOREIGN-2", location="FAR", supplier="SUP-99"), messages.issued(sku="OWN-2")
    with listening(planner, "0") as events, limited.client("approver") as everything:
        limited.publish(said(foreign))
        eventually(lambda: everything.get(f"/v1/recommendations/{foreign.recommendation_id}").status_code == 200)
        limited.publish(said(mine))
        told: list[str] = []
        while not told or "OWN-2" not in told[-1]:
            told.append(str(until(events, "recommendation")))
    assert not [one for one in told if LEAKS.search(one)]


def test_key_without_an_entry_reads_nothing_and_one_with_an_entry_its_part(limited: Gateway) -> None:
    with limited.client("admin") as admin:
        made = admin.post("/v1/api-keys", json={"name": "shelf", "scopes": ["read"]}).json()
    with httpx2.Client(base_url=limited.url, headers={"Authorization": f"Bearer {made['secret']}"}, timeout=20) as key:
        assert key.get("/v1/items").json()["items"] == []
        entry = Coverage(subject=f"key:{made['key_id']}", scope=SCOPES[1])
        limited.publish(matrix(3, ALL, STORE_367, entry))
        eventually(lambda: skus(key, "/v1/items") == {"OWN"})
        assert key.get("/v1/dead-letters").json()["code"] == "outside_coverage"


@pytest.fixture
async def database(limited: Gateway) -> AsyncIterator[Database]:
    opened = await Database.open(limited.database.url("gateway"), "gateway")
    yield opened
    await opened.close()


def asking(line: Any) -> LineCommented:
    """A comment of today that asks for two people."""
    return LineCommented(
        tenant="acme", comment_id=f"asked-{line.sku}", line_id=line.line_id, recommendation_id=line.recommendation_id,
        sku=line.sku, location=line.location, text=f"about {line.sku}", commented_by="approver", role="approver",
        commented_at=datetime.now(UTC), mentions=("planner", "auditor"),
    )  # fmt: skip


def test_who_is_named_finds_what_they_may_read_and_marks_it_as_seen_for_themselves(
    limited: Gateway, planner: httpx2.Client
) -> None:
    limited.publish(said(asking(MINE), "approvals"), said(asking(FOREIGN), "approvals"))
    with limited.client("auditor") as auditor:
        eventually(lambda: len(auditor.get("/v1/mentions").json()["items"]) == 2)
        assert planner.post("/v1/mentions/asked-FOREIGN/seen", json={}).json()["code"] == "comment_not_found"
        assert [one["comment_id"] for one in planner.get("/v1/mentions?unseen=true").json()["items"]] == ["asked-OWN"]
        for _ in range(2):
            assert planner.post("/v1/mentions/asked-OWN/seen", json={}).status_code == 204
        assert planner.get("/v1/mentions?unseen=true").json()["items"] == []
        (kept,) = planner.get("/v1/mentions").json()["items"]
        assert kept["seen_at"] is not None
        assert len(auditor.get("/v1/mentions?unseen=true").json()["items"]) == 2
        assert auditor.post("/v1/mentions/said-nothing/seen", json={}).status_code == 404


async def test_notice_of_a_mention_keeps_the_words_from_who_does_not_cover_the_line(database: Database) -> None:
    notices = list(tell.of_mentions([asking(MINE), asking(FOREIGN)]))
    told = await discreet.fit_to_read(database, "acme", notices, date(2017, 11, 20))
    texts = {(one.recipient, one.body["line_id"]): one.body["text"] for one in told}
    assert texts == {
        ("planner", MINE.line_id): "about OWN",
        ("auditor", MINE.line_id): "about OWN",
        ("planner", FOREIGN.line_id): None,
        ("auditor", FOREIGN.line_id): "about FOREIGN",
    }
    (closed,) = [one.body for one in told if one.body["text"] is None]
    assert {name for name, value in closed.items() if value is None} == {"recommendation_id", "sku", "location", "text"}


@pytest.mark.parametrize("scope", SCOPES)
async def test_every_kind_of_scope_limits_every_table(database: Database, scope: Scope) -> None:
    async with database.transaction("acme") as tx:
        names = [scope.suppliers, scope.categories, scope.locations]
        await tx.execute("insert into coverage values ('acme', 'somebody', 0, $1, $2, $3)", *map(list, names))
        await coverage.limit(tx, ("somebody",))
        for table in TABLES:
            found = "".join(str(row) for row in await tx.fetch(f"select t::text from {table} t"))
            assert "OWN" in found, table
            assert not LEAKS.search(found), table
        await tx.execute("reset role")
        await tx.execute("delete from coverage where subject = 'somebody'")


@pytest.mark.parametrize(
    "statement", ["delete from lines", "update lines set status = 'x'", "select from accounts", "select from api_keys"]
)
async def test_who_reads_for_somebody_can_change_nothing_and_sees_no_account(
    database: Database, statement: str
) -> None:
    async with database.transaction("acme") as tx:
        await coverage.limit(tx, ("planner",))
        await tx.execute("savepoint tried")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute(statement)
        await tx.execute("rollback to savepoint tried")
    async with database.transaction("acme") as tx:
        assert await tx.fetchval("select current_user") == "countersign_gateway"


async def test_delegate_reads_what_the_delegator_covers_on_the_days_of_the_delegation(database: Database) -> None:
    given = Delegation(
        delegator="anna", delegate="ben", starts=date(2017, 12, 18), ends=date(2017, 12, 29), reason="holiday"
    )
    one = ApprovalMatrixPublished(
        tenant="elsewhere", version=1, coverage=(Coverage(subject="anna", scope=SCOPES[0]),), delegations=(given,),
        limits_reading=True, proposed_by="a", approved_by="b", reason="r",
    )  # fmt: skip
    async with database.transaction("elsewhere") as tx:
        await coverage.put_matrix(tx, "elsewhere", one)
        assert await coverage.readers(tx, "elsewhere", "ben", date(2017, 12, 18)) == ("anna", "ben")
        assert await coverage.readers(tx, "elsewhere", "ben", date(2017, 12, 30)) == ("ben",)
        # An older version that comes late changes nothing; a newer one that limits nobody lets everybody read.
        await coverage.put_matrix(tx, "elsewhere", one.model_copy(update={"coverage": (), "version": 1}))
        assert await coverage.readers(tx, "elsewhere", "ben", date(2017, 12, 30)) == ("ben",)
        await coverage.put_matrix(tx, "elsewhere", one.model_copy(update={"version": 2, "limits_reading": False}))
        assert await coverage.readers(tx, "elsewhere", "ben", date(2017, 12, 30)) is None
        await coverage.put_matrix(tx, "elsewhere", one.model_copy(update={"version": 3, "coverage": ()}))
        assert await coverage.readers(tx, "elsewhere", "ben", date(2017, 12, 30)) is None
