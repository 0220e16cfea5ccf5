"""Orders as UBL and X12. Oracles: the sequences of elements of the OASIS schemas (UBL-Order-2.1, UBL-OrderChange-2.1,
UBL-CommonAggregateComponents-2.1), the fixed places of an X12 interchange header, and readers that share no code with the writers."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.domain.order_papers import ubl, x12
from services.gateway.domain.order_papers.paper import Paper, PaperLine, PaperRefused, order_id_start, order_number
from tests.examples import examples

ORDER_ID, CHANGE_ID = "PO-0b0e7f7c-1c1e-5a0a-9c3d-aabbccddeeff", "CA-1b0e7f7c-1c1e-5a0a-9c3d-aabbccddeeff"
MILK = PaperLine(
    1, "1029743", "Milk <white> & *cold*", Decimal("312.0000"), "each", Decimal("2.69"), Decimal("839.28"), "04012345678901", "MD-7"
)  # fmt: skip
CHEESE = PaperLine(2, "77", "Cheese", Decimal("0.5"), "kg", Decimal("8.1250"), Decimal("4.0625"))
PAPER = Paper(
    order_id=ORDER_ID,
    kind="purchase_order",
    buyer="acme",
    supplier="SUP-17",
    supplier_name="Söhne ~ Dairy",
    location="367",
    location_name=None,
    order_on=date(2017, 11, 6),
    arrive_on=date(2017, 11, 9),
    released_at=datetime(2017, 11, 6, 18, 4, 11, tzinfo=UTC),
    currency="USD",
    value=Decimal("843.3425"),
    lines=(MILK, CHEESE),
)
CANCEL = replace(PAPER, order_id=CHANGE_ID, kind="cancel", changes_order=ORDER_ID)
CHANGE = replace(CANCEL, kind="change")

# The parts that are written, in the sequence of the schemas.
SEQUENCES = {
    "Order": "UBLVersionID ID IssueDate IssueTime OrderTypeCode DocumentCurrencyCode LineCountNumeric BuyerCustomerParty"
    " SellerSupplierParty Delivery AnticipatedMonetaryTotal OrderLine",
    "OrderChange": "UBLVersionID ID IssueDate IssueTime SequenceNumberID DocumentCurrencyCode LineCountNumeric OrderReference"
    " BuyerCustomerParty SellerSupplierParty Delivery AnticipatedMonetaryTotal OrderLine",
    "OrderLine": "Note LineItem",
    "LineItem": "ID LineStatusCode Quantity LineExtensionAmount Price Item",
    "Item": "Name BuyersItemIdentification SellersItemIdentification StandardItemIdentification",
    "Party": "PartyIdentification PartyName",
    "Delivery": "DeliveryLocation RequestedDeliveryPeriod",
    "DeliveryLocation": "ID Name",
    "AnticipatedMonetaryTotal": "LineExtensionAmount PayableAmount",
}
MANDATORY = {
    "Order": {"ID", "IssueDate", "BuyerCustomerParty", "SellerSupplierParty", "OrderLine"},
    "OrderChange": {
        "IssueDate",
        "SequenceNumberID",
        "OrderReference",
        "BuyerCustomerParty",
        "SellerSupplierParty",
        "OrderLine",
    },
}
CAC, CBC = (f"{{{ubl.NAMESPACE}:Common{kind}Components-2}}" for kind in ("Aggregate", "Basic"))


def read_ubl(paper: Paper) -> Any:
    return ElementTree.fromstring(ubl.write(paper))


def name_of(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def read_x12(paper: Paper) -> list[list[str]]:
    return [segment.strip().split("*") for segment in x12.write(paper).decode("ascii").split("~")[:-1]]


@pytest.mark.parametrize("paper", [PAPER, CHANGE, CANCEL], ids=lambda paper: paper.kind)
def test_ubl_has_its_elements_in_the_sequence_of_the_schema(paper: Paper) -> None:
    root = read_ubl(paper)
    kind = "Order" if paper is PAPER else "OrderChange"
    assert root.tag == f"{{{ubl.NAMESPACE}:{kind}-2}}{kind}"
    assert MANDATORY[kind] <= {name_of(child) for child in root}
    for element in root.iter():
        children = [name_of(child) for child in element]
        if name_of(element) in SEQUENCES:
            places = [SEQUENCES[name_of(element)].split().index(child) for child in children]
            assert places == sorted(places), name_of(element)


def test_ubl_says_the_order_and_nothing_else() -> None:
    root = read_ubl(PAPER)
    assert root.findtext(f"{CBC}ID") == ORDER_ID
    assert (root.findtext(f"{CBC}IssueDate"), root.findtext(f"{CBC}IssueTime")) == ("2017-11-06", "18:04:11Z")
    assert root.findtext(f"{CAC}Delivery/{CAC}RequestedDeliveryPeriod/{CBC}EndDate") == "2017-11-09"
    amount = root.find(f"{CAC}AnticipatedMonetaryTotal/{CBC}PayableAmount")
    assert (amount.text, amount.attrib) == ("843.3425", {"currencyID": "USD"})
    milk, cheese = (line.find(f"{CAC}LineItem") for line in root.findall(f"{CAC}OrderLine"))
    assert (milk.findtext(f"{CBC}Quantity"), milk.find(f"{CBC}Quantity").attrib) == ("312", {"unitCode": "EA"})
    assert (cheese.findtext(f"{CBC}Quantity"), cheese.find(f"{CBC}Quantity").attrib) == ("0.5", {"unitCode": "KGM"})
    assert milk.findtext(f"{CAC}Item/{CBC}Name") == "Milk <white> & *cold*"
    codes = [
        milk.findtext(f"{CAC}Item/{CAC}{who}ItemIdentification/{CBC}ID") for who in ("Buyers", "Sellers", "Standard")
    ]
    assert codes == ["1029743", "MD-7", "04012345678901"]
    assert [name_of(part) for part in cheese.find(f"{CAC}Item")] == ["Name", "BuyersItemIdentification"]


def test_change_and_cancellation_name_the_order_they_are_about_and_what_becomes_of_its_lines() -> None:
    for paper, status in ((CHANGE, "Revised"), (CANCEL, "Cancelled")):
        root = read_ubl(paper)
        assert root.findtext(f"{CAC}OrderReference/{CBC}ID") == ORDER_ID
        assert {line.text for line in root.iter(f"{CBC}LineStatusCode")} == {status}
    (changed, *_), (ended, *_) = (
        [segment for segment in read_x12(paper) if segment[0] == "POC"] for paper in (CHANGE, CANCEL)
    )
    assert (changed[2:5], ended[2:5]) == (["CA", "312", "312"], ["DI", "312", "0"])
    assert ["BCH", "04", "SA", "PO-0b0e7f7c1c1e5a0a9c", "", "", "20171106"] in read_x12(CANCEL)
    assert ["REF", "CO", ORDER_ID] in read_x12(CANCEL)


def test_x12_interchange_has_its_fixed_places_counts_and_one_control_number() -> None:
    text, segments = x12.write(PAPER).decode("ascii"), read_x12(PAPER)
    header = text.split("~")[0] + "~"
    # Receivers read the separators at these places of a header that is 106 characters long.
    assert (len(header), header[3], header[104], header[105], header[82]) == (106, "*", ">", "~", "^")
    by_name = {segment[0]: segment for segment in segments}
    begin, end = (next(i for i, segment in enumerate(segments) if segment[0] == name) for name in ("ST", "SE"))
    assert by_name["SE"] == ["SE", str(end - begin + 1), "0001"]
    assert by_name["CTT"] == ["CTT", "2"]
    assert by_name["ISA"][13] == by_name["IEA"][2] == by_name["GS"][6].zfill(9) == by_name["GE"][2].zfill(9)
    assert by_name["GS"][1:4] == ["PO", "acme", "SUP-17"]
    assert by_name["BEG"] == ["BEG", "00", "SA", "PO-0b0e7f7c1c1e5a0a9c", "", "20171106"]
    assert segments[8:10] == [["N1", "SU", "Sohne Dairy", "92", "SUP-17"], ["N1", "ST", "367", "92", "367"]]
    assert [segment for segment in segments if segment[0] == "PO1"] == [
        ["PO1", "1", "312", "EA", "2.69", "", "IN", "1029743", "VN", "MD-7", "UK", "04012345678901"],
        ["PO1", "2", "0.5", "KG", "8.125", "", "IN", "77"],
    ]


def test_the_same_order_is_the_same_interchange_and_another_order_another() -> None:
    assert x12.write(PAPER) == x12.write(PAPER)
    assert read_x12(PAPER)[0][13] != read_x12(replace(PAPER, order_id=CHANGE_ID))[0][13]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": "transfer", "supplier": None}, "kind"),
        ({"lines": (replace(MILK, unit="box"),)}, "lines.1.unit"),
    ],
)
@pytest.mark.parametrize("write", [ubl.write, x12.write])
def test_what_no_format_can_say_is_refused_at_its_place(write: Any, changed: dict[str, Any], field: str) -> None:
    with pytest.raises(PaperRefused) as refused:
        write(replace(PAPER, **changed))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"lines": (replace(MILK, sku="A*B"),)}, "lines.1.sku"),
        ({"lines": (replace(MILK, supplier_code="größe"),)}, "lines.1.supplier_code"),
        ({"location": "DC~1"}, "location"),
        ({"supplier": "SUPPLIER-OF-MILK"}, "supplier"),
        ({"order_id": "an-order-id-of-another-house"}, "order_id"),
    ],
)
def test_x12_never_writes_a_code_in_other_letters(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(PaperRefused) as refused:
        x12.write(replace(PAPER, **changed))
    assert refused.value.field == field


@given(st.uuids())
def test_number_of_an_order_fits_x12_and_leads_back_to_its_id(of: Any) -> None:
    order_id = f"PO-{of}"
    number = order_number(order_id)
    start = order_id_start(number.upper())
    assert len(number) <= 22
    assert start is not None
    assert order_id.startswith(start)
    assert len(start.replace("-", "")) == 20


numbers = st.decimals(min_value=0, max_value=Decimal(10) ** 12 - 1, places=4, allow_nan=False, allow_infinity=False)
lines = st.builds(
    PaperLine,
    line_no=st.integers(1, 1000),
    sku=st.text("ABC-019.", min_size=1, max_size=20),
    name=st.text(max_size=200),
    quantity=numbers,
    unit=st.sampled_from(["each", "kg", "g", "l", "m"]),
    unit_cost=numbers,
    value=numbers,
    supplier_code=st.none() | st.text("XYZ789", min_size=1, max_size=20),
)


@settings(max_examples=examples(200))
@given(st.lists(lines, min_size=1, max_size=5), st.text(max_size=80))
def test_whatever_names_say_quantities_prices_and_codes_come_out_as_they_were(some: list[PaperLine], name: str) -> None:
    paper = replace(PAPER, lines=tuple(some), supplier_name=name, location_name=name)
    items = [line.find(f"{CAC}LineItem") for line in read_ubl(paper).findall(f"{CAC}OrderLine")]
    segments = [segment for segment in read_x12(paper) if segment[0] == "PO1"]
    assert len(items) == len(segments) == len(some)
    for line, item, segment in zip(some, items, segments, strict=True):
        assert Decimal(item.findtext(f"{CBC}Quantity")) == line.quantity == Decimal(segment[2])
        assert Decimal(item.findtext(f"{CAC}Price/{CBC}PriceAmount")) == line.unit_cost == Decimal(segment[4])
        assert item.findtext(f"{CAC}Item/{CAC}BuyersItemIdentification/{CBC}ID") == line.sku == segment[7]
