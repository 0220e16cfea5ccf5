"""EPCIS events mean what GS1 says they mean. Oracles: examples 9.6.1-9.6.3 of the EPCIS standard (repository gs1/EPCIS),
the GTINs and GLNs of the Tag Data Standard's own examples, and python-free arithmetic of check digits."""

import copy
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.api.epcis import EXAMPLE
from services.gateway.domain.epcis import Movement, movements
from services.gateway.domain.epcis_ids import EpcisRefused, gln_of, gtin_of

CBV = "urn:epcglobal:cbv"
STORE, DOCK, OTHER = (
    "urn:epc:id:sgln:0614141.00888.0",
    "urn:epc:id:sgln:0614141.00777.0",
    "urn:epc:id:sgln:4012345.00225.0",
)
# Example 9.6.2 of the standard: 200 kg of a lot are received.
STANDARD = {
    "type": "ObjectEvent",
    "eventTime": "2013-06-08T14:58:56.591Z",
    "eventTimeZoneOffset": "+02:00",
    "action": "OBSERVE",
    "bizStep": f"{CBV}:bizstep:receiving",
    "disposition": f"{CBV}:disp:in_progress",
    "readPoint": {"id": DOCK},
    "bizLocation": {"id": STORE},
    "quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 200, "uom": "KGM"}],
    "sourceList": [{"type": f"{CBV}:sdt:possessing_party", "source": "urn:epc:id:sgln:4012345.00001.0"}],
    "destinationList": [{"type": f"{CBV}:sdt:location", "destination": DOCK}],
}


def event(**changes: Any) -> dict[str, Any]:
    """The standard's example with something changed; None takes a field away."""
    made = copy.deepcopy(STANDARD) | changes
    return {name: value for name, value in made.items() if value is not None}


# More digits than any stock has: added up or written out they are rounded, overflow, or take all memory.
BEYOND_ANY_STOCK = (
    "1e9999999",
    "1e999999999",
    1e300,
    "1000000000000",
    "1.00000000000000000000000000001",
    "0.00001",
    "1_0",
    " 1",
)


def several(quantity: Any) -> dict[str, Any]:
    """A class of goods that is named once with this quantity and once more with one unit."""
    named = {"epcClass": "urn:epc:class:lgtin:4012345.012345.1"}
    return {"quantityList": [named | {"quantity": quantity}, named | {"quantity": 1}]}


def owners(ours: bool) -> dict[str, Any]:
    """Source and destination at both places, of one owner or of two."""
    other = STORE if ours else OTHER
    return {
        "sourceList": [{"type": "owning_party", "source": STORE}, {"type": "location", "source": OTHER}],
        "destinationList": [{"type": "owning_party", "destination": other}, {"type": "location", "destination": DOCK}],
    }


@pytest.mark.parametrize(
    ("identifier", "gtin"),
    [
        ("urn:epc:id:sgtin:0614141.107346.2017", "10614141073464"),  # EPCIS 9.6.1
        ("urn:epc:class:lgtin:4012345.012345.998877", "04012345123456"),
        ("urn:epc:idpat:sgtin:4012345.098765.*", "04012345987652"),
        ("https://id.gs1.org/01/04012345987652", "04012345987652"),
        ("https://id.gs1.org/21/2018/01/70614141123451", "70614141123451"),  # EPCIS 9.6.3
        ("https://example.com/some/path/01/04012345123456/10/998877?17=201231", "04012345123456"),
        ("https://id.gs1.org/01/4006381333931", "04006381333931"),
    ],
)
def test_item_is_known_by_its_gtin_however_it_is_written(identifier: str, gtin: str) -> None:
    assert gtin_of(identifier, "epcList.0") == gtin


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("urn:epc:id:sscc:0614141.1234567890", "container"),
        ("https://id.gs1.org/00/106141412345678908", "container"),
        ("urn:epc:id:sgtin:0614141.10734.2017", "13 digits"),
        ("urn:epc:id:sgtin:", "13 digits"),
        ("https://id.gs1.org/01/04012345987653", "check digit"),
        ("https://id.gs1.org/414/0614141008889", "neither"),
        ("http://[broken", "neither"),
        ("", "neither"),
    ],
)
def test_what_is_no_item_is_refused_with_the_reason(identifier: str, reason: str) -> None:
    with pytest.raises(EpcisRefused, match=reason):
        gtin_of(identifier, "epcList.0")


def test_place_is_known_by_its_gln_without_the_extension() -> None:
    assert gln_of("urn:epc:id:sgln:0614141.00888.0", "bizLocation") == "0614141008889"
    assert gln_of("https://id.gs1.org/414/0614141008889/254/32a%2Fb", "bizLocation") == "0614141008889"
    for wrong in ("urn:epc:id:sgln:0614141.0088.0", "https://id.gs1.org/414/0614141008881", "urn:x"):
        with pytest.raises(EpcisRefused):
            gln_of(wrong, "bizLocation")


def test_the_standards_receipt_is_a_receipt_of_kilograms_at_the_business_location() -> None:
    (line,) = movements(STANDARD)
    assert (line.gtin, line.location, line.kind) == ("04012345123456", "0614141008889", "receipt")
    assert (line.quantity, line.unit, line.business_date) == (Decimal(200), "kg", date(2013, 6, 8))


def test_serial_numbers_and_class_quantities_of_one_item_are_added() -> None:
    children = ["https://id.gs1.org/01/70614141123451/21/2017", "https://id.gs1.org/21/2018/01/70614141123451"]
    quantities = [{"epcClass": "https://id.gs1.org/01/70614141123451", "quantity": 10}]
    made = event(type="AggregationEvent", quantityList=None, childEPCs=children, childQuantityList=quantities)
    assert [(line.gtin, line.quantity, line.unit) for line in movements(made)] == [
        ("70614141123451", Decimal(12), "each")
    ]


@pytest.mark.parametrize(
    ("changes", "kind", "quantity", "location", "counterpart"),
    [
        ({}, "receipt", 200, "0614141008889", None),
        (owners(ours=True), "transfer_in", 200, "0614141008889", "4012345002256"),
        (owners(ours=False), "receipt", 200, "0614141008889", None),
        ({"bizStep": "shipping"}, "shipment", 200, "0614141007776", None),
        ({"bizStep": "shipping", **owners(ours=True)}, "transfer_out", 200, "0614141007776", "0614141007776"),
        ({"bizStep": "shipping", **owners(ours=False)}, "shipment", 200, "0614141007776", None),
        ({"bizStep": "void_shipping"}, "adjustment", 200, "0614141007776", None),
        ({"bizStep": "https://ref.gs1.org/cbv/BizStep-cycle_counting"}, None, 200, "0614141008889", None),
        ({"bizStep": "cbv:BizStep-stock_taking"}, None, 200, "0614141008889", None),
        ({"bizStep": "commissioning", "action": "ADD"}, "adjustment", 200, "0614141008889", None),
        ({"bizStep": "destroying", "action": "DELETE"}, "adjustment", -200, "0614141008889", None),
        ({"bizStep": "inspecting", "disposition": "stolen"}, "adjustment", -200, "0614141008889", None),
        ({"type": "TransactionEvent"}, "receipt", 200, "0614141008889", None),
        ({"bizLocation": None}, "receipt", 200, "0614141007776", None),
        ({"bizLocation": STORE}, "receipt", 200, "0614141008889", None),
    ],
)
def test_business_step_says_what_happened_to_the_stock(
    changes: dict[str, Any], kind: str | None, quantity: int, location: str, counterpart: str | None
) -> None:
    (line,) = movements(event(**changes))
    assert (line.kind, line.quantity, line.location, line.counterpart) == (
        kind,
        Decimal(quantity),
        location,
        counterpart,
    )


@pytest.mark.parametrize("step", ["packing", "storing", "inspecting", "staging_outbound", "arriving"])
def test_step_that_moves_nothing_has_no_effect(step: str) -> None:
    assert movements(event(bizStep=step)) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "TransformationEvent"}, "type"),
        ({"type": None}, "type"),
        ({"bizStep": None}, "bizStep"),
        ({"bizStep": "retail_selling"}, "bizStep"),
        ({"bizStep": "https://example.com/dancing"}, "bizStep"),
        ({"errorDeclaration": {"declarationTime": "2013-06-09T00:00:00Z"}}, "errorDeclaration"),
        ({"bizLocation": None, "readPoint": None}, "bizLocation"),
        ({"bizLocation": {"id": "urn:epc:id:sgln:1.2.3"}}, "bizLocation"),
        ({"eventTime": "2013-06-08"}, "eventTime"),
        ({"eventTime": "0001-01-01T00:00:00+10:00"}, "eventTime"),
        ({"eventTimeZoneOffset": "CET"}, "eventTimeZoneOffset"),
        ({"quantityList": None}, "quantityList"),
        (
            {"quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.1", "quantity": -1}]},
            "quantityList.0.quantity",
        ),
        (
            {"quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.1", "quantity": True}]},
            "quantityList.0.quantity",
        ),
        ({"quantityList": [{"epcClass": "x", "quantity": 1}]}, "quantityList.0.epcClass"),
        (
            {"quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.1", "quantity": 1, "uom": "XXX"}]},
            "quantityList.0.uom",
        ),
        ({"quantityList": None, "epcList": ["urn:epc:id:sscc:0614141.1234567890"]}, "epcList.0"),
        *((several(quantity), "quantityList.0.quantity") for quantity in BEYOND_ANY_STOCK),
    ],
)
def test_what_could_mean_two_things_is_refused_at_its_place(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(EpcisRefused) as refused:
        movements(event(**changes))
    assert refused.value.field == field
    assert len(refused.value.reason) > 10


def test_count_of_nothing_is_zero_and_movement_of_nothing_is_refused() -> None:
    nothing = [{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 0}]
    assert movements(event(bizStep="stock_taking", quantityList=nothing))[0].quantity == 0
    with pytest.raises(EpcisRefused):
        movements(event(quantityList=nothing))


def test_business_date_is_the_day_at_the_place() -> None:
    late = event(eventTime="2017-11-06T03:30:00Z", eventTimeZoneOffset="-06:00")
    assert movements(late)[0].business_date == date(2017, 11, 5)


def test_receipt_names_the_order_it_answers() -> None:
    (line,) = movements(EXAMPLE["epcisBody"]["eventList"][0])
    assert line.order_id == "PO-7"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
    | st.decimals(allow_nan=True).map(str) | st.sampled_from(BEYOND_ANY_STOCK)
    | st.sampled_from([STORE, "urn:epc:id:sgtin:0614141.107346.2017", "shipping", "destroyed", "http://[", "-06:00"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "type", "source", "epcClass", "quantity", "uom"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*STANDARD, "epcList", "bizTransactionList", "isA"]), values, max_size=5))
def test_any_json_is_understood_or_refused_with_a_reason(changes: dict[str, Any]) -> None:
    for whole in (changes, event(**changes)):
        try:
            found = movements(orjson.loads(orjson.dumps(whole)))
        except EpcisRefused as refused:
            reason = refused.reason
        except orjson.JSONEncodeError:  # an integer no JSON reader takes
            return
        else:
            assert all(isinstance(line, Movement) and len(format(line.quantity, "f")) < 30 for line in found)
            continue
        assert reason
