"""What suppliers answer as X12 855 and UBL OrderResponse. The meanings of codes are those of X12 data elements 587 (BAK02) and
668 (ACK01) and of UNCL 4343 and 1229; whatever else is said is refused at its place, never guessed."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decisions import OrderUpdated
from services.gateway.api.order_answers import UBL_EXAMPLE, X12_EXAMPLE
from services.gateway.domain.order_papers import ubl_answers, x12_answers
from services.gateway.domain.order_papers.answers import update
from services.gateway.domain.order_papers.paper import UNECE, X12_UNITS, Paper, PaperRefused
from tests.examples import examples
from tests.unit.gateway.test_order_papers import CANCEL, CHEESE, MILK, ORDER_ID, PAPER

MILK_LINE = "PO1*1*312*EA*2.69**IN*1029743~"


def interchange(*lines: str, head: str = "BAK*00*AC*PO-0b0e7f7c1c1e5a0a9c*20171106~") -> bytes:
    """An 855 with these segments between heading and total."""
    segments = "".join(lines).count("~") + 4
    return (
        "ISA*00*          *00*          *ZZ*SUP-17         *ZZ*acme           *171107*0930*^*00501*000000042*0*P*>~"
        f"GS*PR*SUP-17*acme*20171107*0930*42*X*005010~ST*855*0001~{head}{''.join(lines)}CTT*1~SE*{segments}*0001~"
        "GE*1*42~IEA*1*000000042~"
    ).encode()


def said(body: bytes, paper: Paper = PAPER) -> dict[str, Any]:
    """What the only answer of the document says, as an event our contract takes."""
    reader, units = (x12_answers, X12_UNITS) if body.startswith(b"ISA") else (ubl_answers, UNECE)
    (answer,) = reader.read(body)
    told = update(answer, paper, units)
    OrderUpdated.model_validate(told | {"tenant": "acme"})
    return told


def refused(body: bytes, paper: Paper = PAPER) -> str:
    with pytest.raises(PaperRefused) as error:
        said(body, paper)
    return error.value.field


def test_example_of_the_description_is_an_answer() -> None:
    told = said(X12_EXAMPLE.encode())
    assert told == {
        "order_id": ORDER_ID,
        "status": "confirmed",
        "location": "367",
        "business_date": "2017-11-07",
        "updated_at": "2017-11-07T09:30:00+00:00",
        "lines": [{"sku": "1029743", "quantity": "300", "arrive_on": "2017-11-10"}],
    }


def test_ubl_example_of_the_description_is_an_answer() -> None:
    told = said(UBL_EXAMPLE.encode())
    assert (told["order_id"], told["status"], told["lines"]) == (ORDER_ID, "confirmed", [])


@pytest.mark.parametrize(
    ("ack", "line"),
    [
        ("ACK*IA~", {"quantity": "312"}),
        ("ACK*IA*312*EA*068*20171110~", {"quantity": "312"}),  # a day of shipping is no day of arrival
        ("ACK*IQ*300*EA~", {"quantity": "300"}),
        ("ACK*IP*312*EA~", {"quantity": "312", "unit_cost": "2.69"}),
        ("ACK*IC*300*EA*067*20171110~", {"quantity": "300", "arrive_on": "2017-11-10", "unit_cost": "2.69"}),
        ("ACK*DR*312*EA*067*20171112~", {"quantity": "312", "arrive_on": "2017-11-12"}),
        ("ACK*IB*312*EA*017*20171201~", {"quantity": "312", "arrive_on": "2017-12-01"}),
        ("ACK*IR~", {"quantity": "0"}),
        ("ACK*ID~", {"quantity": "0"}),
        ("ACK*IS*312*EA****VN*MD-8~", {"quantity": "312", "substitute_sku": "MD-8"}),
        ("ACK*IA*60*EA~ACK*IR*252*EA~", {"quantity": "60"}),
        ("ACK*IA*60*EA*067*20171109~ACK*IB*40*EA*067*20171109~", {"quantity": "100", "arrive_on": "2017-11-09"}),
    ],
)
def test_every_code_of_a_line_is_what_x12_means_by_it(ack: str, line: dict[str, str]) -> None:
    told = said(interchange(MILK_LINE, ack))
    assert (told["status"], told["lines"]) == ("confirmed", [{"sku": "1029743", **line}])


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AK", "acknowledged"),
        ("AD", "confirmed"),
        ("AT", "confirmed"),
        ("AE", "confirmed"),
        ("RD", "failed"),
        ("RJ", "failed"),
    ],
)
def test_every_code_of_an_order_is_what_x12_means_by_it(code: str, status: str) -> None:
    told = said(interchange(head=f"BAK*00*{code}*PO-0b0e7f7c1c1e5a0a9c*20171106~"))
    assert (told["status"], told["lines"]) == (status, [])


@pytest.mark.parametrize(
    ("segments", "field"),
    [
        ((MILK_LINE, "ACK*IH*312*EA~"), "ST 0001.PO1 1.ACK01"),  # on hold
        ((MILK_LINE, "ACK*IQ~"), "ST 0001.PO1 1.ACK02"),
        ((MILK_LINE, "ACK*IQ*-1*EA~"), "ST 0001.PO1 1.ACK02"),
        ((MILK_LINE, "ACK*IQ*NaN*EA~"), "ST 0001.PO1 1.ACK02"),
        ((MILK_LINE, "ACK*IQ*0.00001*EA~"), "ST 0001.PO1 1.ACK02"),
        ((MILK_LINE, "ACK*IQ*26*CA~"), "ST 0001.PO1 1.quantity"),  # cases are not converted
        ((MILK_LINE, "ACK*DR*312*EA~"), "ST 0001.PO1 1.ACK05"),
        ((MILK_LINE, "ACK*DR*312*EA*068*20171110~"), "ST 0001.PO1 1.ACK05"),
        ((MILK_LINE, "ACK*DR*312*EA*067*20171131~"), "ST 0001.PO1 1.ACK05"),
        ((MILK_LINE, "ACK*DR*312*EA*999*20171110~"), "ST 0001.PO1 1.ACK04"),
        ((MILK_LINE, "ACK*IS*312*EA~"), "ST 0001.PO1 1.ACK08"),
        ((MILK_LINE, "ACK*IA*60*EA*067*20171109~ACK*IB*40*EA*067*20171201~"), "ST 0001.PO1 1.ACK05"),
        ((MILK_LINE, "ACK*IA~ACK*IB*40*EA*067*20171109~"), "ST 0001.PO1 1.ACK02"),
        (("PO1*1*312*EA***IN*1029743~", "ACK*IP*312*EA~"), "ST 0001.PO1 1.PO104"),
        (("PO1*1*312*EA*2.69**IN*OTHER~", "ACK*IA~"), "ST 0001.PO1 1"),
        (
            ("PO1*2*312*EA*2.69**IN*1029743~", "ACK*IA~"),
            None,
        ),  # the sender counts lines anew; the item is what is meant
        ((MILK_LINE, "ACK*IA~", MILK_LINE, "ACK*IR~"), "ST 0001.lines"),
    ],
)
def test_what_is_not_said_clearly_is_refused_at_its_place(segments: tuple[str, ...], field: str | None) -> None:
    body = interchange(*segments)
    if field is None:
        assert refused(body, PAPER) == "ST 0001.PO1 2"
        assert said(body, replace(PAPER, lines=(MILK,)))["lines"][0]["sku"] == "1029743"
    else:
        assert refused(body) == field


@pytest.mark.parametrize("code", ["*UK*04012345678901", "*EN*4012345678901", "*VN*MD-7", "*IN*1029743", ""])
def test_line_is_found_by_gtin_supplier_code_own_code_or_number(code: str) -> None:
    told = said(interchange(f"PO1*1*312*EA*2.69*{code}~", "ACK*IA~"))
    assert told["lines"] == [{"sku": "1029743", "quantity": "312"}]


def test_interchange_that_is_cut_off_anywhere_is_refused() -> None:
    whole = interchange(MILK_LINE, "ACK*IQ*300*EA~")
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("~")][:-1]
    for end in ends:
        with pytest.raises(PaperRefused):
            x12_answers.read(whole[:end])
    assert refused(whole.replace(b"SE*6", b"SE*7")) == "segment 8"
    assert refused(whole.replace(b"ST*855", b"ST*997")) == "ST 0001"


def test_separators_are_those_of_the_interchange() -> None:
    whole = interchange(MILK_LINE, "ACK*IQ*300*EA~").replace(b"*", b"|").replace(b"~", b"\n")
    assert said(whole)["lines"] == [{"sku": "1029743", "quantity": "300"}]


def response(
    code: str = "CA", lines: str = "", more: str = "", number: str = ORDER_ID, time: str = "09:30:00Z"
) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OrderResponse xmlns="urn:oasis:names:specification:ubl:schema:xsd:OrderResponse-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
 <cbc:ID>OR-9</cbc:ID><cbc:IssueDate>2017-11-07</cbc:IssueDate><cbc:IssueTime>{time}</cbc:IssueTime>
 <cbc:OrderResponseCode>{code}</cbc:OrderResponseCode><cac:OrderReference><cbc:ID>{number}</cbc:ID></cac:OrderReference>
 <cac:SellerSupplierParty><cac:Party><cac:PartyIdentification><cbc:ID>SUP-17</cbc:ID></cac:PartyIdentification></cac:Party></cac:SellerSupplierParty>
 <cac:BuyerCustomerParty><cac:Party/></cac:BuyerCustomerParty>{more}{lines}</OrderResponse>""".encode()


def line(
    status: str,
    inside: str = "",
    item: str = "<cac:BuyersItemIdentification><cbc:ID>1029743</cbc:ID></cac:BuyersItemIdentification>",
    after: str = "",
) -> str:
    return (
        f"<cac:OrderLine><cac:LineItem><cbc:ID>1</cbc:ID><cbc:LineStatusCode>{status}</cbc:LineStatusCode>{inside}"
        f"<cac:Item><cbc:Name>Milk</cbc:Name>{item}</cac:Item></cac:LineItem>{after}</cac:OrderLine>"
    )


PROMISED = "<cac:Delivery><cac:PromisedDeliveryPeriod><cbc:StartDate>2017-11-09</cbc:StartDate><cbc:EndDate>2017-11-10</cbc:EndDate></cac:PromisedDeliveryPeriod></cac:Delivery>"
OTHER = "<cac:SellerSubstitutedLineItem><cbc:ID>1</cbc:ID><cac:Item><cac:SellersItemIdentification><cbc:ID>MD-8</cbc:ID></cac:SellersItemIdentification></cac:Item></cac:SellerSubstitutedLineItem>"


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (line("5"), {"quantity": "312"}),
        (line("3", '<cbc:Quantity unitCode="EA">300</cbc:Quantity>'), {"quantity": "300"}),
        (line("7", '<cbc:Quantity unitCode="EA">312</cbc:Quantity>'), {"quantity": "0"}),
        (line("3", PROMISED), {"quantity": "312", "arrive_on": "2017-11-10"}),
        (
            line("3", '<cac:Price><cbc:PriceAmount currencyID="USD">2.80</cbc:PriceAmount></cac:Price>'),
            {"quantity": "312", "unit_cost": "2.8"},
        ),
        (line("3", after=OTHER), {"quantity": "312", "substitute_sku": "MD-8"}),
    ],
)  # fmt: skip
def test_every_answer_of_a_ubl_line_is_what_it_says(answered: str, told: dict[str, str]) -> None:
    found = said(response(lines=answered))
    assert (found["status"], found["lines"]) == ("confirmed", [{"sku": "1029743", **told}])
    assert (found["updated_at"], found["business_date"]) == ("2017-11-07T09:30:00+00:00", "2017-11-07")


@pytest.mark.parametrize(("code", "status"), [("AB", "acknowledged"), ("AP", "confirmed"), ("RE", "failed")])
def test_every_code_of_a_ubl_response_is_what_it_says(code: str, status: str) -> None:
    assert (said(response(code))["status"], said(response(code))["lines"]) == (status, [])


def test_day_promised_for_the_whole_order_is_that_of_each_line() -> None:
    told = said(response("AP", more=PROMISED))["lines"]
    assert [(one["sku"], one["quantity"], one["arrive_on"]) for one in told] == [
        (MILK.sku, "312", "2017-11-10"),
        (CHEESE.sku, "0.5", "2017-11-10"),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (response("XX"), "OrderResponseCode"),
        (response("CA"), "OrderLine"),
        (response(lines=line("42")), "OrderLine.0.LineStatusCode"),
        (response(lines=line("3", '<cbc:Quantity unitCode="CS">26</cbc:Quantity>')), "OrderLine.0.quantity"),
        (response(lines=line("3", '<cac:Price><cbc:PriceAmount currencyID="EUR">2.80</cbc:PriceAmount></cac:Price>')), "OrderLine.0.price"),
        (response(lines=line("5", item="<cac:BuyersItemIdentification><cbc:ID>NONE</cbc:ID></cac:BuyersItemIdentification>")), "OrderLine.0"),
        (response("AP", time="25:00"), "IssueTime"),
        (response("AP", time="00:00:00+14:00").replace(b"2017-11-07", b"0001-01-01"), "IssueTime"),
        (response("AP").replace(b"2017-11-07", b"soon"), "IssueDate"),
        (response("AP").replace(b"OR-9", b""), "ID"),
        (response("AP").replace(b"OrderResponse>", b"OrderResponse"), ""),
        (response("AP").replace(b"OrderResponse-2", b"Invoice-2").replace(b"OrderResponse ", b"Invoice ").replace(b"/OrderResponse", b"/Invoice"), ""),
    ],
)  # fmt: skip
def test_what_a_ubl_response_does_not_say_clearly_is_refused_at_its_place(body: bytes, field: str) -> None:
    assert refused(body) == field


@pytest.mark.parametrize(
    "declared",
    [
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE OrderResponse SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
def test_document_type_declaration_is_refused_before_anything_is_read(declared: bytes) -> None:
    with pytest.raises(PaperRefused, match="DOCTYPE"):
        ubl_answers.read(response("AP").replace(b"<OrderResponse", declared + b"<OrderResponse", 1))
    utf16 = response("AP").decode().replace("UTF-8", "UTF-16").replace("<Order", declared.decode() + "<Order", 1)
    with pytest.raises(PaperRefused, match="DOCTYPE"):
        ubl_answers.read(utf16.encode("utf-16"))


@pytest.mark.parametrize("encoding", [b"nonsense", b"shift_jis", b"UTF\x01"])
def test_encoding_nobody_knows_is_refused(encoding: bytes) -> None:
    with pytest.raises(PaperRefused):
        ubl_answers.read(response("AP").replace(b"UTF-8", encoding))


def test_answer_is_never_earlier_than_its_order() -> None:
    later = replace(PAPER, released_at=datetime(2017, 11, 7, 12, 0, tzinfo=UTC))
    assert said(response("AP"), later)["updated_at"] == "2017-11-07T12:00:00+00:00"


def test_change_of_an_order_is_accepted_or_rejected_as_a_whole() -> None:
    assert said(response("AP"), CANCEL)["lines"] == []
    assert said(response(lines=line("5")), CANCEL)["lines"] == []
    assert refused(response(lines=line("3", '<cbc:Quantity unitCode="EA">300</cbc:Quantity>')), CANCEL) == "lines"
    assert refused(response("AP"), replace(PAPER, kind="transfer", supplier=None)) == "order"


X12_WHOLE = interchange(MILK_LINE, "ACK*IQ*300*EA*067*20171110~")
UBL_WHOLE = response(lines=line("3", PROMISED, after=OTHER))


@settings(max_examples=examples(300))
@given(
    st.sampled_from([X12_WHOLE, UBL_WHOLE]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 5), st.binary(max_size=5)), max_size=3),
)
def test_no_bytes_do_more_than_be_refused(whole: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, gone, new in edits:
        place = at % len(whole)
        whole = whole[:place] + new + whole[place + gone :]
    with suppress(PaperRefused):
        said(whole)
