"""Batches read straight into a known shape are what JSON gives, and are sorted as if they had been read as anything."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.ingest import reading
from services.gateway.ingest.alike import check_read
from services.gateway.ingest.batch import Outcome, _sort, read
from services.gateway.ingest.check import Refused, check
from services.gateway.ingest.reading import Lately, Reader, plain
from services.gateway.ingest.recent import Recent
from tests.unit.gateway.test_alike import USUAL, VOID, WITH_PRICE

READER = Reader("sale.recorded.v1", sorted(USUAL["data"]))
texts = st.text(max_size=130) | st.sampled_from(
    ["", "\n", "é", '"', "\\", "2.5", "many", "2017-11-05T18:04:11Z", "soon"]
)
# What a body may hold that is nearly JSON: bytes that are no UTF-8, bare control characters, halves of pairs, second names.
PIECES = [
    b"\xff", b"\xed\xa0\x80", b"\n", b"\x00", b"\\ud800", b"\\ud83d\\ude00", b"\\u0000", b"\\x41", b'"', b",", b"]", b"[", b"{}", b"null", b"1",
    b'"id":"second",', b'"id":7,', b'"data":{},', b'"tenant":"acme",', b"\xef\xbb\xbf", b"//", b"NaN", b"\\/", b"\x7f", b"\xc2\x80",
]  # fmt: skip


def body(*events: Any) -> bytes:
    return orjson.dumps(events)


@st.composite
def sales(draw: st.DrawFn) -> dict[str, Any]:
    """A sale of the reader's shape with one text that may be anything."""
    event = USUAL | {"id": draw(st.sampled_from("12345")), "data": dict(USUAL["data"])}
    where = draw(st.sampled_from([event, event["data"]]))
    where[draw(st.sampled_from([name for name in where if name != "data"]))] = draw(texts)
    return event


@given(st.lists(sales(), max_size=3), st.data())
def test_what_is_read_is_what_json_gives(events: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = body(*events)
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(0, len(whole)))
        whole = whole[:place] + data.draw(st.sampled_from(PIECES) | st.binary(max_size=2)) + whole[place:]
    found = READER.read(whole)
    assert found is None or [plain(event) for event in found] == orjson.loads(whole)


def test_the_usual_is_read_in_any_order_of_its_names() -> None:
    turned = dict(reversed([*USUAL.items()])) | {"data": dict(reversed([*USUAL["data"].items()]))}
    found = READER.read(body(USUAL, turned))
    assert found is not None
    assert [plain(event) for event in found] == [USUAL, USUAL]


@given(st.lists(sales(), min_size=1, max_size=6))
def test_events_read_into_a_shape_are_checked_as_alone_or_left_to_that(events: list[dict[str, Any]]) -> None:
    found = READER.read(body(*events))
    told = found and check_read(found, "acme", READER)
    if not told:
        return
    for event, one in zip(events, told.each(), strict=True):
        alone = check(event, "acme")
        assert (one.identity, one.digest, [*one.records]) == (alone.identity, alone.digest, [*alone.records])


@given(st.lists(sales(), max_size=8), st.lists(sales(), max_size=3))
def test_a_batch_is_sorted_alike_however_it_was_read(batch: list[dict[str, Any]], before: list[dict[str, Any]]) -> None:
    recent, earlier = Recent(), Outcome()
    _sort(0, before, "acme", recent, earlier)
    recent.remember(earlier.taken)
    known = READER.read(body(*batch))
    if not known:
        return
    straight, by_json = Outcome(), Outcome()
    _sort(0, known, "acme", recent, straight, READER)
    _sort(0, batch, "acme", recent, by_json)
    assert straight == by_json


def test_a_shape_is_known_from_the_second_batch_on_and_what_does_not_fit_is_read_as_before() -> None:
    tenant, priced, odd = (
        "shop",
        [WITH_PRICE | {"id": str(number)} for number in range(3)],
        USUAL | {"data": {"sku": 5}},
    )
    assert read(body(*priced), tenant, 10) == (priced, None)
    shape = _sort(0, priced, tenant, Recent(), Outcome())
    assert shape is not None
    reading.lately(tenant).learn(*shape)
    events, reader = read(body(*priced), tenant, 10)
    assert reader is not None
    assert [plain(event) for event in events] == priced
    for others in ([odd], [*priced, odd], [VOID], [], [*priced, "no event"]):
        assert [plain(event) for event in read(body(*others), tenant, 10)[0]] == others
    assert read(body(*priced), "another", 10) == (priced, None)


def test_the_last_shapes_are_tried_and_older_ones_forgotten() -> None:
    lately = Lately("shop")
    shapes = [
        ("sale.recorded.v1", (*WITH_PRICE["data"], name))
        for name in ("promotion", "channel", "order_ref", "line", "till")
    ]
    for shape in shapes:
        lately.learn(*shape)
    lately.learn(*shapes[2])
    assert [reader.names for reader in lately._readers] == [shapes[at][1] for at in (2, 4, 3, 1)]
    assert len({id(reader) for reader in lately._readers}) == reading.LATELY_MAX


def test_a_refusal_names_the_same_fault_however_the_senders_names_are_ordered() -> None:
    both = USUAL | {"source": "a\nb", "id": "c\nd"}
    turned = dict(reversed([*both.items()]))
    said = []
    for event in (both, turned):
        try:
            check(event, "acme")
        except Refused as refused:
            said.append((refused.field, refused.reason))
    assert len(said) == 2
    assert said[0] == said[1]
