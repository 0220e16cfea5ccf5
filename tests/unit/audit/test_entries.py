"""Canonical bytes: RFC 8785 vectors, the profile's refusals, and the round trip of whole entries."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.domain.canonical import canonical_json
from services.audit.domain.entries import Actor, Draft, commitment, decode_entry, encode_entry
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import leaf_hash
from tests.unit.audit.vectors import VECTORS

DRAFT = Draft(
    "e-1",
    "decision.made.v1",
    datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    Actor("u-1", "approver"),
    "line/1",
    "0" * 64,
    {"quantity": "12.500"},
)
RAW = encode_entry(DRAFT, tenant="t-a", seq=0)


@pytest.mark.parametrize("case", VECTORS["jcs_leaves"], ids=range(len(VECTORS["jcs_leaves"])))
def test_canonical_bytes_and_leaf_of_the_vectors(case: Any) -> None:
    raw = canonical_json(json.loads(case["json"]))
    assert raw.hex() == case["canonical_utf8_hex"]
    assert leaf_hash(raw).hex() == case["leaf_hash"]


def test_the_vector_entry_is_read_as_an_entry() -> None:
    raw = bytes.fromhex(VECTORS["jcs_leaves"][-1]["canonical_utf8_hex"])
    assert decode_entry(raw)["actor"] == {"sub": "u-1", "role": "approver"}


plain = st.recursive(
    st.text(st.characters(codec="utf-8")) | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda part: st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=5), part, max_size=4),
)


@settings(deadline=None)
@given(plain)
def test_the_fast_way_writes_the_bytes_of_rfc8785(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [1.5, None, True, 2**53, ["a"], {"n": 0.1}])
def test_facts_beyond_the_profile_are_refused_with_their_place(value: Any) -> None:
    draft = Draft(
        DRAFT.id, DRAFT.type, DRAFT.occurred_at, DRAFT.actor, DRAFT.subject, DRAFT.payload_sha256, {"quantity": value}
    )
    with pytest.raises(AuditRefusal, match=r"not_in_profile: entry\.quantity"):
        encode_entry(draft, tenant="t-a", seq=0)


def test_a_fact_cannot_take_the_place_of_a_field() -> None:
    draft = Draft(DRAFT.id, DRAFT.type, DRAFT.occurred_at, DRAFT.actor, DRAFT.subject, DRAFT.payload_sha256, {"seq": 7})
    with pytest.raises(AuditRefusal, match="not_in_profile"):
        encode_entry(draft, tenant="t-a", seq=0)


def test_entries_beyond_65535_bytes_are_refused() -> None:
    fits = 65_535 - len(RAW) - len(',"x":""')
    for extra, is_refused in ((fits, False), (fits + 1, True)):
        draft = Draft(
            DRAFT.id,
            DRAFT.type,
            DRAFT.occurred_at,
            DRAFT.actor,
            DRAFT.subject,
            DRAFT.payload_sha256,
            {**DRAFT.fields, "x": "a" * extra},
        )
        if is_refused:
            with pytest.raises(AuditRefusal, match="entry_too_large"):
                encode_entry(draft, tenant="t-a", seq=0)
        else:
            assert len(encode_entry(draft, tenant="t-a", seq=0)) == 65_535
    with pytest.raises(AuditRefusal, match="entry_too_large"):
        decode_entry(b" " * 65_536)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'"seq":0', b'"seq":0,"seq":0', "not_canonical"),
        (b'"seq":0', b'"seq":0.0', "not_in_profile"),
        (b'"seq":0', b'"seq":-1', "fields_malformed"),
        (b'"seq":0', b'"seq":null', "not_in_profile"),
        (b'"seq":0', b'"seq": 0', "not_canonical"),
        (b'"v":1', b'"v":2', "fields_malformed"),
        (b'"u-1"', b'"\\u0075-1"', "not_canonical"),
        (b"2026-01-02T03:04:05.000006Z", b"2026-01-02T03:04:05Z", "fields_malformed"),
        (b'"subject":"line/1",', b"", "fields_malformed"),
        (b'"role":"approver",', b"", "fields_malformed"),
        (b"0" * 64, b"0" * 63, "fields_malformed"),
        (RAW, b"[]", "not_in_profile"),
        (RAW, b"{", "not_json"),
        (RAW, b'"\xff"', "not_json"),
    ],
)
def test_entries_not_as_we_write_them_are_refused(old: bytes, new: bytes, code: str) -> None:
    assert old in RAW
    with pytest.raises(AuditRefusal, match=code):
        decode_entry(RAW.replace(old, new))


def test_an_entry_says_the_same_after_the_round_trip() -> None:
    entry = decode_entry(RAW)
    assert (entry["tenant"], entry["seq"], entry["quantity"]) == ("t-a", 0, "12.500")
    assert entry["occurred_at"] == "2026-01-02T03:04:05.000006Z"


def test_a_salted_commitment_hides_what_it_commits_to() -> None:
    assert commitment(b"x") != commitment(b"x", b"\x01" * 32) != commitment(b"x", b"\x02" * 32)
    with pytest.raises(AuditRefusal, match="salt_malformed"):
        commitment(b"x", b"short")
