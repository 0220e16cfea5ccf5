"""Whatever a stranger hands to a reader of the audit log is read or refused, never more: notes, receipts, tiles, exports."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.audit.domain.checkpoints import parse_checkpoint, parse_receipt
from services.audit.domain.entries import decode_entry
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.notes import parse_note, parse_vkey
from services.audit.domain.tiles import decode_entries, encode_entries, parse_tile_path
from services.audit.domain.witnessing import parse_submission
from services.audit.verify.verification import Trust, Verification
from tests.unit.audit.story import SIGNER, exported, whole_story
from tests.unit.audit.vectors import VECTORS

CASE = VECTORS["checkpoint"]
RECEIPT = VECTORS["tlog_proof"]["text"]
EXPORT = [json.dumps(record) for record in exported(whole_story(2))]
ENTRY = next(
    json.loads(line)["entry"] for line in EXPORT if '"entry"' in line and json.loads(line)["record"] == "entry"
)
TEXT_READERS: list[Callable[[str], Any]] = [
    parse_note, parse_vkey, parse_checkpoint, parse_receipt, parse_submission,
    lambda text: parse_tile_path("entries", text), lambda text: parse_tile_path(text, "000"),
]  # fmt: skip
BYTE_READERS: list[Callable[[bytes], Any]] = [decode_entry, decode_entries]
SEEDS = [
    CASE["note"],
    CASE["text"],
    CASE["log_vkey"],
    RECEIPT,
    f"old 0\n\n{CASE['note']}",
    "x001/234.p/5",
    ENTRY,
    *EXPORT,
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Something that was right once: a stretch of it is cut, doubled, or replaced."""
    text: str = draw(st.sampled_from(SEEDS))
    first, last = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    other: str = draw(st.text(max_size=8) | st.just(text[first:last] * 2) | st.just(""))
    return text[:first] + other + text[last:]


def read_or_refused(reader: Callable[[Any], Any], given_to_it: Any) -> None:
    try:
        reader(given_to_it)
    except AuditRefusal as refusal:
        code, why = refusal.args
        assert code and why


@settings(deadline=None)
@given(spoilt() | st.text(max_size=200))
@example(CASE["log_vkey"].replace("+A", "+\x80A"))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    for reader in TEXT_READERS:
        read_or_refused(reader, text)


@settings(deadline=None)
@given(spoilt().map(lambda text: text.encode(errors="replace")) | st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(raw: bytes) -> None:
    for reader in BYTE_READERS:
        read_or_refused(reader, raw)


def test_seeds_are_right_before_they_are_spoilt() -> None:
    assert decode_entry(ENTRY.encode())["seq"] == 0
    assert decode_entries(encode_entries([ENTRY.encode()])) == [ENTRY.encode()]
    assert verified(EXPORT) is None


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(EXPORT)), spoilt() | st.binary(max_size=100) | json_values.map(json.dumps))
def test_no_line_of_an_export_does_more_than_break_it(place: int, line: str | bytes) -> None:
    """A line too many is a break as well, unless it is blank or the very line that stood there."""
    raw = line.encode(errors="replace") if isinstance(line, str) else line
    verified([*EXPORT[:place], raw, *EXPORT[place:]])


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_field_of_an_export_does_more_than_break_it(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(EXPORT) - 1))
    record = json.loads(EXPORT[place])
    record[data.draw(st.sampled_from(sorted(record)))] = data.draw(json_values)
    verified([*EXPORT[:place], json.dumps(record), *EXPORT[place + 1 :]])


def verified(lines: list[Any]) -> Any:
    """What the verifier found wrong; it never raises."""
    verification = Verification(Trust(keys=(SIGNER.verifier(),)))
    for line in lines:
        verification.feed(line.encode() if isinstance(line, str) else line)
    return verification.finish().problem
