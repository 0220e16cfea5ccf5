"""What codes mean: check digits by GS1's rule, two times for every fact, and never a guess."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import gtin
from kernel.naming import GTIN, MERGED, OWN, Fact, Facts, is_plain, meaning, stored_code

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = date(2024, 3, 5)
NOW_MS = 1_000_000


def fact(
    code: str,
    scheme: str,
    target: str,
    told: int = 0,
    valid_from: date | None = None,
    active: bool = True,
    by: str = "",
) -> Fact:
    at = START + timedelta(milliseconds=told)
    return Fact(stored_code(scheme, code), scheme, by, target, active, valid_from, at, told)


def told(*facts: Fact) -> Facts:
    return {code: [one for one in facts if one.code == code] for code in {one.code for one in facts}}


# Numbers with a valid check digit as printed in public places: GS1 General Specifications 7.9 (GTIN-13 6291041500213),
# the first barcode ever scanned (UPC-A 036000291452), GS1 UK's GTIN-8 sample 50184385, and ITF-14 10614141000415.
@pytest.mark.parametrize("code", ["6291041500213", "036000291452", "50184385", "10614141000415"])
def test_a_published_gtin_is_valid_and_with_any_other_check_digit_is_not(code: str) -> None:
    assert gtin.canonical(code) == code.zfill(14)
    for digit in "0123456789":
        changed = code[:-1] + digit
        assert (gtin.fault(changed) is None) == (changed == code)


@given(st.sampled_from([7, 11, 12, 13]), st.data())
def test_one_wrong_digit_is_always_found(length: int, data: st.DataObject) -> None:
    payload = data.draw(st.text("0123456789", min_size=length, max_size=length))
    whole = payload + str(gtin.check_digit(payload))
    place = data.draw(st.integers(0, length))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != whole[place]]))
    assert gtin.fault(whole[:place] + other + whole[place + 1 :]) is not None


@given(st.text(max_size=20) | st.text("0123456789\u00b2\u0663\uff15 ", min_size=8, max_size=14))
def test_no_text_does_more_than_be_no_gtin(code: str) -> None:
    """Digits of other scripts and superscripts are digits to Python, and none on a label."""
    whole = gtin.canonical(code)
    assert (whole is None) == (gtin.fault(code) is not None)
    assert whole is None or re.fullmatch("[0-9]{14}", whole)


def test_a_gtin_is_found_in_whatever_length_it_is_written() -> None:
    facts = told(fact("A", OWN, "A"), fact("036000291452", GTIN, "A"))
    for written in ("036000291452", "0036000291452", "00036000291452"):
        assert meaning(facts, written, DAY, NOW_MS).target == "A"


def test_two_answers_are_no_answer() -> None:
    facts = told(
        fact("A", OWN, "A"), fact("B", OWN, "B"), fact("77", "supplier_code", "A", by="S1"),
        fact("77", "supplier_code", "B", by="S2"),
    )  # fmt: skip
    found = meaning(facts, "77", DAY, NOW_MS)
    assert found.is_ambiguous
    assert found.candidates == ("A", "B")


def test_a_split_holds_from_its_day_on_and_leaves_earlier_days_where_they_were() -> None:
    facts = told(
        fact("A", OWN, "A"), fact("B", OWN, "B"), fact("x", "legacy_code", "A"),
        fact("x", "legacy_code", "B", told=50, valid_from=DAY),
    )  # fmt: skip
    assert meaning(facts, "x", DAY, NOW_MS).target == "B"
    assert meaning(facts, "x", DAY - timedelta(days=1), NOW_MS).target == "A"
    assert meaning(facts, "x", DAY, 49).target == "A", "as it was known then"


def test_a_merged_own_code_stands_for_the_other_and_comes_back_when_the_merge_ends() -> None:
    merge = [fact("A", OWN, "A"), fact("B", OWN, "B"), fact("B", MERGED, "A", told=10)]
    assert meaning(told(*merge), "B", DAY, NOW_MS).target == "A"
    split = fact("B", MERGED, "A", told=20, valid_from=DAY, active=False)
    assert meaning(told(*merge, split), "B", DAY, NOW_MS).target == "B"
    assert meaning(told(*merge, split), "B", DAY - timedelta(days=1), NOW_MS).target == "A"


def test_a_loop_of_aliases_means_nothing() -> None:
    facts = told(fact("x", "legacy_code", "y"), fact("y", "legacy_code", "x"))
    assert meaning(facts, "x", DAY, NOW_MS).target is None


def test_what_was_unknown_takes_the_first_meaning_it_was_given() -> None:
    facts = told(
        fact("A", OWN, "A"), fact("B", OWN, "B"), fact("x", "legacy_code", "A", told=100),
        fact("x", "legacy_code", "B", told=200),
    )  # fmt: skip
    assert meaning(facts, "x", DAY, 50).target == "A"
    assert meaning(facts, "x", DAY, 250).target == "B"


codes = st.sampled_from(["A", "B", "C", "x", "y", "036000291452", "00036000291452"])
facts_ = st.builds(
    fact,
    codes,
    st.sampled_from([OWN, MERGED, GTIN, "legacy_code", "supplier_code"]),
    codes,
    st.integers(0, 100),
    st.none() | st.integers(-3, 3).map(lambda days: DAY + timedelta(days=days)),
    st.booleans(),
    st.sampled_from(["", "S1"]),
).map(lambda one: fact(one.code, OWN, one.code, one.told_at_ms) if one.scheme == OWN else one)
histories = st.lists(facts_, max_size=12)


@given(histories, codes, st.integers(0, 120), st.integers(0, 120))
def test_a_replay_gives_each_event_the_meaning_it_had(history: list[Fact], code: str, at: int, later: int) -> None:
    """What was said once stays: further facts, told after the event had its meaning, do not change it."""
    moments = sorted({at, at + later})
    then = told(*(one for one in history if one.told_at_ms <= moments[-1]))
    first = meaning(then, code, DAY, at)
    if first.target is not None:
        assert meaning(told(*history), code, DAY, at) == first


@given(histories, codes)
def test_what_is_remembered_as_one_word_is_the_same_on_every_day_and_at_every_moment(
    history: list[Fact], code: str
) -> None:
    facts = told(*history)
    if is_plain(facts, code):
        days = [DAY + timedelta(days=offset) for offset in range(-4, 5)]
        assert len({meaning(facts, code, day, at) for day in days for at in (0, 50, 120)}) == 1


@given(histories, codes)
def test_a_meaning_is_an_own_code_or_there_is_none(history: list[Fact], code: str) -> None:
    own = {one.code for one in history if one.scheme == OWN}
    found = meaning(told(*history), code, DAY, 120)
    assert found.target is None or found.target in own
