"""Values as they are kept: whatever bytes are packed come back, and what was packed once stays readable."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import packing
from kit.packing import MARK, PLAIN, RECOMMENDATION, SMALLEST_BYTES, pack, unpack
from services.policy.domain.cascade import plan
from services.policy.domain.evidence_text import canonical_with
from services.policy.domain.outcome import Recommendation
from tests.examples import examples
from tests.unit.policy.examples import PLAIN as ORDERED

FOLDER = Path(packing.__file__).parent / "dictionaries"
# Never change one of these: what was packed with it could not be read any more. Add a dictionary under a new number.
DIGESTS = {"1.json": "f045270340ab615b4215b9e954f04c7ce95f68ae7672530f108f8d12746d8c2c"}


@settings(max_examples=examples(200))
@given(st.binary(max_size=6_000) | st.binary(max_size=64).map(MARK.__add__), st.sampled_from((PLAIN, RECOMMENDATION)))
def test_any_bytes_come_back(value: bytes, dictionary: int) -> None:
    assert unpack(pack(value, dictionary)) == value


def test_what_could_be_taken_for_packed_is_packed() -> None:
    # A dead letter keeps bytes that came from outside.
    assert pack(MARK + b"\x07not ours") != MARK + b"\x07not ours"


def test_small_values_stay_as_they_are() -> None:
    small = b"{" + b" " * (SMALLEST_BYTES - 2)
    assert pack(small) is small


def test_dictionaries_are_those_that_earlier_values_were_packed_with() -> None:
    assert {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(FOLDER.iterdir())} == DIGESTS


def test_a_value_of_a_newer_version_is_said_to_be_one() -> None:
    with pytest.raises(KeyError, match="no dictionary 9"):
        unpack(MARK + b"\x09abc")


def test_a_recommendation_of_today_still_looks_like_its_dictionary() -> None:
    (outcome,) = plan([ORDERED])
    assert isinstance(outcome, Recommendation)
    text = canonical_with(outcome.document, outcome.parts)
    assert len(pack(text, RECOMMENDATION)) < 0.3 * len(text)
