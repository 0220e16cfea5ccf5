"""Released orders taken along as documents, through the running gateway."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from xml.etree import ElementTree

import httpx2
import pytest

from schemas.catalogue import IdentityAliasDefined, SupplierItemDefined
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said

pytestmark = pytest.mark.integration

MILK = messages.issued()
APPROVED = messages.decided(MILK, "approved")
ORDER = messages.ordered(MILK, APPROVED, order_id="PO-0b0e7f7c-1c1e-5a0a-9c3d-aabbccddeeff")
CHANGE = ORDER.model_copy(
    update={
        "order_id": "CA-1b0e7f7c-1c1e-5a0a-9c3d-aabbccddeeff",
        "kind": "cancel",
        "changes_order": ORDER.order_id,
    }
)
TRANSFER = ORDER.model_copy(
    update={
        "order_id": "TR-2b0e7f7c-1c1e-5a0a-9c3d-aabbccddeeff",
        "kind": "transfer",
        "supplier": None,
        "from_location": "DC-1",
    }
)
NAMES = {"tenant": "acme", "defined_at": messages.NOW}
TERMS = [
    SupplierItemDefined(**NAMES, supplier="SUP-17", sku="1029743", supplier_code="MD-COMMON"),
    SupplierItemDefined(**NAMES, supplier="SUP-17", sku="1029743", location="367", supplier_code="MD-7"),
    SupplierItemDefined(**NAMES, supplier="SUP-18", sku="1029743", supplier_code="ANOTHERS"),
    IdentityAliasDefined(**NAMES, scheme="gtin", subject="item", code="012345678905", target="1029743"),
]


@pytest.fixture(scope="module")
def planner(gateway: Gateway) -> Iterator[httpx2.Client]:
    gateway.publish(
        *[said(one, "gateway") for one in (*messages.masters(), *TERMS)],
        said(MILK),
        said(APPROVED, "approvals"),
        *[said(one, "approvals") for one in (ORDER, CHANGE, TRANSFER)],
    )
    with gateway.client("planner") as client:
        eventually(lambda: len(client.get("/v1/orders").json()["items"]) == 3)
        eventually(lambda: "MD-7" in client.get("/v1/orders.csv").text)
        eventually(lambda: "00012345678905" in client.get("/v1/orders.csv").text)
        yield client


def test_order_is_taken_along_as_ubl_with_every_code_that_is_known(planner: httpx2.Client) -> None:
    answer = planner.get(f"/v1/orders/{ORDER.order_id}/document")
    assert answer.headers["content-type"] == "application/xml"
    assert answer.headers["content-disposition"] == f'attachment; filename="{ORDER.order_id}.xml"'
    root = ElementTree.fromstring(answer.content)
    said_in_it = {
        (element.tag.rpartition("}")[2], element.text)
        for element in root.iter()
        if element.text and element.text.strip()
    }
    assert {
        ("ID", ORDER.order_id), ("ID", "SUP-17"), ("Name", "Meadow Dairy"), ("ID", "1029743"), ("ID", "MD-7"), ("ID", "00012345678905"),
        ("Name", "Fluid milk, white, 1 gal"), ("Quantity", "312"), ("EndDate", ORDER.arrive_on.isoformat()),
    } <= said_in_it  # fmt: skip
    assert not {("ID", "MD-COMMON"), ("ID", "ANOTHERS")} & said_in_it
    assert planner.get(f"/v1/orders/{ORDER.order_id}/document").content == answer.content


def test_order_and_its_cancellation_are_taken_along_as_x12(planner: httpx2.Client) -> None:
    bought = planner.get(f"/v1/orders/{ORDER.order_id}/document", params={"format": "x12"})
    ended = planner.get(f"/v1/orders/{CHANGE.order_id}/document", params={"format": "x12"})
    assert bought.headers["content-type"] == "application/edi-x12"
    assert "~\nPO1*1*312*EA*2.69**IN*1029743*VN*MD-7*UK*00012345678905~\n" in bought.text
    assert "~\nST*860*0001~\nBCH*04*SA*PO-0b0e7f7c1c1e5a0a9c*" in ended.text


def test_transfer_goes_to_no_supplier_and_is_taken_along_as_csv(planner: httpx2.Client) -> None:
    refused = planner.get(f"/v1/orders/{TRANSFER.order_id}/document", params={"format": "ubl"})
    assert (refused.status_code, refused.json()["code"]) == (409, "order_not_in_format")
    assert refused.json()["errors"][0]["field"] == "kind"
    answer = planner.get(f"/v1/orders/{TRANSFER.order_id}/document", params={"format": "csv"})
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert (row["kind"], row["from_location"], row["quantity"]) == ("transfer", "DC-1", "312")


def test_filtered_orders_are_one_spreadsheet_with_a_row_for_each_line(planner: httpx2.Client) -> None:
    answer = planner.get("/v1/orders.csv", params={"supplier": "SUP-17"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert {row["order_id"] for row in rows} == {ORDER.order_id, CHANGE.order_id}
    assert {(row["sku"], row["supplier_code"], row["gtin"]) for row in rows} == {("1029743", "MD-7", "00012345678905")}
    assert {Decimal(row["value"]) for row in rows} == {ORDER.lines[0].value}


def test_order_of_another_tenant_and_none_at_all_are_the_same(gateway: Gateway, planner: httpx2.Client) -> None:
    with gateway.client("planner", "globex") as other:
        for path in (f"/v1/orders/{ORDER.order_id}/document", "/v1/orders/PO-NONE/document"):
            assert other.get(path).status_code == 404
        assert len(other.get("/v1/orders.csv").text.splitlines()) == 1
    assert planner.get("/v1/orders/PO-NONE/document").json()["code"] == "order_not_found"


ANSWER = (
    "ISA*00*          *00*          *ZZ*SUP-17         *ZZ*acme           *171121*0930*^*00501*000000042*0*P*>~"
    "GS*PR*SUP-17*acme*20171121*0930*42*X*005010~ST*855*0001~BAK*00*AC*PO-0b0e7f7c1c1e5a0a9c*20171121~"
    "PO1*1*312*EA*2.69**VN*MD-7~ACK*IQ*300*EA*067*20171130~CTT*1~SE*6*0001~GE*1*42~IEA*1*000000042~"
)


def test_answer_of_the_supplier_reaches_the_order_once_however_often_it_is_sent(
    gateway: Gateway, planner: httpx2.Client
) -> None:
    with gateway.machine("ingest") as edi:
        first, again = (edi.post("/v1/order-answers", content=ANSWER) for _ in range(2))
        assert first.json()["answers"] == [
            {"order_id": ORDER.order_id, "status": "confirmed", "lines": 1, "result": "accepted", "field": None, "reason": None}
        ]  # fmt: skip
        assert (again.status_code, again.json()["duplicates"]) == (200, 1)
        eventually(lambda: planner.get(f"/v1/orders/{ORDER.order_id}").json()["status"] == "confirmed")
        (told,) = planner.get(f"/v1/orders/{ORDER.order_id}").json()["updates"]
        (line,) = told["lines"]
        assert (line["sku"], line["quantity"], line["arrive_on"]) == ("1029743", "300", "2017-11-30")


@pytest.mark.usefixtures("planner")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (ANSWER.replace("PO-0b0e7f7c1c1e5a0a9c", "PO-000000000000000000"), "ST 0001.order"),
        (ANSWER.replace("VN*MD-7", "VN*ANOTHERS"), "ST 0001.PO1 1"),
        (ANSWER[:-22], "IEA"),
        ("UNB+UNOA:1", ""),
    ],
)
def test_answer_that_fits_no_order_is_refused_at_its_place(gateway: Gateway, body: str, field: str) -> None:
    with gateway.machine("ingest") as edi:
        answer = edi.post("/v1/order-answers", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "order_answer_refused")
    assert answer.json()["errors"][0]["field"] == field


def test_another_tenants_order_is_none_that_was_released(gateway: Gateway, planner: httpx2.Client) -> None:
    with gateway.machine("ingest", tenant="globex") as edi:
        assert edi.post("/v1/order-answers", content=ANSWER).status_code == 422
    with gateway.machine("read") as reader:
        assert reader.post("/v1/order-answers", content=ANSWER).status_code == 403


def test_list_of_an_erp_is_held_against_what_was_released(planner: httpx2.Client) -> None:
    day = {"released_from": "2017-11-21T00:00:00Z", "released_before": "2017-11-22T00:00:00Z"}
    lines = [{"sku": "1029743", "quantity": "311"}]
    theirs = [{"order_id": ORDER.order_id, "lines": lines}, {"order_id": "PO-ELSEWHERE"}, {"order_id": "PO-ELSEWHERE"}]
    found = planner.post("/v1/orders:reconcile", json=day | {"orders": theirs}).json()
    # The cancellation is part of the order it cancels; the transfer was not in the list.
    assert (found["missing"], found["unknown"], found["repeated"], found["equal"]) == (
        [TRANSFER.order_id],
        ["PO-ELSEWHERE"],
        ["PO-ELSEWHERE"],
        0,
    )
    (difference,) = found["differences"]
    assert (difference["sku"], difference["ordered"], difference["theirs"]) == ("1029743", "312", "311")
    before = {"released_from": "2017-11-20T00:00:00Z", "released_before": "2017-11-21T00:00:00Z"}
    right = [{"order_id": ORDER.order_id, "lines": [{"sku": "1029743", "quantity": "312"}]}]
    assert planner.post("/v1/orders:reconcile", json=before | {"orders": right}).json() == {
        "missing": [], "unknown": [], "repeated": [], "differences": [], "equal": 1
    }  # fmt: skip
    turned = {"released_from": day["released_before"], "released_before": day["released_from"], "orders": []}
    refused = planner.post("/v1/orders:reconcile", json=turned)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
