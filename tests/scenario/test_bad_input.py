"""A malformed, duplicate, late, out-of-order, oversize or unknown-identity event, by HTTP and straight into Kafka, never
stalls a partition, never changes a number it should not, and is found again."""

from decimal import Decimal

import orjson
import pytest
from aiokafka.errors import MessageSizeTooLargeError

from countersign_client import ApiProblem
from lab.world.story import Event as Told
from schemas.topics import CATALOGUE, SALES, STOCK
from tests.scenario.stage import TENANT, Stage, changed, record_of, sale

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def nothing_stalls(stage: Stage, request: pytest.FixtureRequest) -> object:
    """After each story a good sale of the same item, behind the bad event on its partition, still moves the position."""
    yield
    item = request.node.callspec.params.get("item", 0) if hasattr(request.node, "callspec") else 0
    before = stage.on_hand(stage.world.skus[item], stage.world.places[item])
    stage.tell([sale(stage, item, 1, f"after {request.node.name}")])
    stage.settle()
    assert stage.on_hand(stage.world.skus[item], stage.world.places[item]) == before - 1


def services_of(letters: list[dict[str, str]]) -> set[str]:
    return {letter["ce_source"].removeprefix("countersign/") for letter in letters}


def first(stage: Stage) -> tuple[str, str]:
    return stage.world.skus[0], stage.world.places[0]


def test_a_malformed_event_by_http_is_rejected_with_its_field_while_its_neighbours_are_taken(stage: Stage) -> None:
    before = stage.on_hand(*first(stage))
    bad = sale(stage, 0, 1, "http malformed")
    bad.data["quantity"] = "many"
    report = stage.send(sale(stage, 0, 2, "http neighbour"), bad)
    assert [one.result for one in report.results] == ["accepted", "rejected"]
    assert report.rejected[0].field == "data.quantity"
    stage.settle()
    assert stage.on_hand(*first(stage)) == before - 2


def test_a_body_that_is_no_json_is_refused_with_a_problem_document(stage: Stage) -> None:
    with pytest.raises(ApiProblem) as caught:
        stage.client._transport.request(
            "POST", "/v1/events", content=b"{", headers={"content-type": "application/json"}
        )
    assert (caught.value.status, caught.value.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("value", "drop_headers", "code"),
    [
        (b"\xff\x00 no json", False, "invalid_body"),
        (b'{"tenant":"demo"}', False, "invalid_body"),
        (b"{}", True, "missing_attribute"),
    ],
)
def test_a_malformed_record_becomes_a_dead_letter_of_each_reader_with_reason_and_bytes(
    stage: Stage, value: bytes, drop_headers: bool, code: str
) -> None:
    before = stage.on_hand(*first(stage))
    record = record_of(sale(stage, 0, 1, f"kafka malformed {code} {value!r}"))
    stage.produce(changed(record, value=value, headers=[] if drop_headers else record.headers))
    stage.settle()
    letters = stage.dead_letters(SALES, value)
    assert services_of(letters) >= {"forecaster", "policy"}
    assert {letter["dead_code"] for letter in letters} == {code}
    assert stage.on_hand(*first(stage)) == before


def test_a_header_without_a_value_is_as_if_it_were_not_there(stage: Stage) -> None:
    before = stage.on_hand(*first(stage))
    fit = record_of(sale(stage, 0, 1, "kafka null subject"))
    stage.produce(changed(fit, headers=[*fit.headers, ("ce_subject", None)]))
    nameless = record_of(sale(stage, 0, 1, "kafka null id"))
    value = nameless.value + b" "  # to be found again by
    headers = [(name, None if name == "ce_id" else raw) for name, raw in nameless.headers]
    stage.produce(changed(nameless, value=value, headers=headers))
    stage.settle()
    letters = stage.dead_letters(SALES, value)
    assert services_of(letters) >= {"forecaster", "policy"}
    assert {letter["dead_code"] for letter in letters} == {"missing_attribute"}
    assert stage.on_hand(*first(stage)) == before - 1


def test_a_duplicate_by_http_is_named_and_counted_once(stage: Stage) -> None:
    before = stage.on_hand(*first(stage))
    one = sale(stage, 0, 2, "http duplicate")
    assert stage.send(one, one).results[1].result == "duplicate"
    assert stage.send(one).results[0].result in ("duplicate", "accepted")
    stage.settle()
    assert stage.on_hand(*first(stage)) == before - 2


def test_a_duplicate_record_is_counted_once_by_every_reader(stage: Stage) -> None:
    before, day = stage.on_hand(*first(stage)), stage.world.day(stage.world.shape.history_days).isoformat()
    sold_before = stage.sold_on(*first(stage), day)
    record = record_of(sale(stage, 0, 3, "kafka duplicate"))
    for _ in range(3):
        stage.produce(record)
    stage.settle()
    assert stage.on_hand(*first(stage)) == before - 3
    assert stage.sold_on(*first(stage), day) == sold_before + 3


def test_an_id_used_again_for_other_content_is_found_and_changes_nothing(stage: Stage) -> None:
    before = stage.on_hand(*first(stage))
    stage.produce(record_of(sale(stage, 0, 1, "reused id")))
    other = record_of(sale(stage, 0, 5, "reused id"))
    stage.produce(other)
    stage.settle()
    assert stage.on_hand(*first(stage)) == before - 1
    assert "id_reused" in {letter["dead_code"] for letter in stage.dead_letters(SALES, other.value)}


@pytest.mark.parametrize("way", ["http", "kafka"])
def test_a_late_sale_corrects_its_day_with_a_new_revision(stage: Stage, way: str) -> None:
    """The day is closed long ago: the sale is not lost, the day's demand is corrected and says so."""
    day = stage.world.day(stage.world.shape.history_days - 10).isoformat()
    before, sold_before = stage.on_hand(*first(stage)), stage.sold_on(*first(stage), day)
    late = sale(stage, 0, 2, f"late {way}", day=day)
    if way == "http":
        stage.send(late)
    else:
        stage.produce(record_of(late))
    stage.settle()
    assert stage.sold_on(*first(stage), day) == sold_before + 2
    (row,) = stage.query(
        "select revision from forecaster.daily_demand where sku = $1 and location = $2 and business_date = $3::text::date",
        *first(stage), day,
    )  # fmt: skip
    assert row["revision"] >= 1
    assert stage.on_hand(*first(stage)) == before - 2


@pytest.mark.parametrize("way", ["http", "kafka"])
def test_a_void_before_its_sale_leaves_nothing_of_either(stage: Stage, way: str) -> None:
    """Out of order: what is taken back comes before what was given."""
    day = stage.world.day(stage.world.shape.history_days).isoformat()
    before, sold_before = stage.on_hand(*first(stage)), stage.sold_on(*first(stage), day)
    sold = sale(stage, 0, 4, f"voided {way}")
    body = {name: sold.data[name] for name in ("tenant", "sku", "location", "quantity", "business_date")}
    body |= {"sale_event_id": sold.id, "voided_at": "2017-12-04T18:00:00Z"}
    void = Told(f"void-{way}", "pos/scenario", "sale.voided.v1", "2017-12-04T18:00:00Z", body)
    for one in (void, sold):
        if way == "http":
            stage.send(one)
        else:
            stage.produce(record_of(one))
    stage.settle()
    assert stage.on_hand(*first(stage)) == before
    assert stage.sold_on(*first(stage), day) == sold_before


def test_a_sale_from_before_a_count_that_comes_after_it_changes_demand_but_not_the_counted_shelf(stage: Stage) -> None:
    sku, location = stage.world.skus[1], stage.world.places[1]
    day = stage.world.day(stage.world.shape.history_days).isoformat()
    counted_at = f"{day}T20:00:00Z"
    body = {
        "tenant": TENANT,
        "sku": sku,
        "location": location,
        "quantity": "40",
        "business_date": day,
        "counted_at": counted_at,
    }
    stage.produce(record_of(Told("count-1", "wms/scenario", "stock.counted.v1", counted_at, body)))
    stage.settle()
    assert stage.on_hand(sku, location) == 40
    sold_before = stage.sold_on(sku, location, day)
    stage.produce(record_of(sale(stage, 1, 3, "before the count")))
    stage.settle()
    assert stage.on_hand(sku, location) == 40
    assert stage.sold_on(sku, location, day) == sold_before + 3


def test_an_oversize_event_by_http_is_refused_and_says_how_large_it_may_be(stage: Stage) -> None:
    large = sale(stage, 0, 1, "http oversize")
    large.data["receipt_line"] = "x" * 2_000_000
    report = stage.send(large)
    assert report.rejected[0].field == "data.receipt_line"
    with pytest.raises(ApiProblem) as caught:
        stage.client._transport.request("POST", "/v1/events", content=b"[" + b" " * 6_000_000 + b"]")
    assert caught.value.status == 413


def test_an_oversize_record_is_refused_by_the_broker_to_its_producer(stage: Stage) -> None:
    record = record_of(sale(stage, 0, 1, "kafka oversize"))
    with pytest.raises(MessageSizeTooLargeError):
        stage.produce(changed(record, value=orjson.dumps({"note": "x" * 1_500_000})))


@pytest.mark.parametrize("way", ["http", "kafka"])
def test_a_sale_of_an_unknown_item_waits_as_an_exception_and_counts_once_the_item_is_known(
    stage: Stage, way: str
) -> None:
    location, sku = stage.world.places[0], f"NEW-{way}"
    unknown = sale(stage, 0, 2, f"unknown {way}", sku=sku)
    if way == "http":
        assert stage.send(unknown).accepted == 1
    else:
        stage.produce(record_of(unknown))
    stage.settle()
    found = [one for one in stage.planner.exceptions() if one["kind"] == "unresolved_identity" and sku in str(one)]
    assert found, "nobody is told about the unknown item"
    body = {"tenant": TENANT, "defined_at": "2017-12-04T00:00:00Z", "sku": sku, "name": f"New item {way}"}
    stage.produce(record_of(Told(f"define-{sku}", "erp/scenario", "item.defined.v1", "2017-12-04T00:00:00Z", body)))
    stage.settle()
    assert stage.on_hand(sku, location) == Decimal(-2)
    assert stage.sold_on(sku, location, unknown.data["business_date"]) == 2
    left = [one for one in stage.planner.exceptions() if one["kind"] == "unresolved_identity" and sku in str(one)]
    assert left == []


def test_records_of_a_type_that_does_not_belong_are_dead_letters_on_every_topic(stage: Stage) -> None:
    record = record_of(sale(stage, 0, 1, "wrong topic"))
    for topic in (STOCK, CATALOGUE):
        stage.produce(changed(record, topic=topic))
    stage.settle()
    for topic in (STOCK, CATALOGUE):
        letters = stage.dead_letters(topic, record.value)
        assert {letter["dead_code"] for letter in letters} == {"unknown_type"}
        assert "policy" in services_of(letters)
