"""A text that was read before is read as it was, and as the contract reads it. Oracle: the same contract without a memory."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, TypeAdapter, ValidationError

from schemas.base import (
    REMEMBERED_CHARACTERS_MAX,
    REMEMBERED_MAX,
    Instant,
    Money,
    NaturalQuantity,
    PositiveQuantity,
    Quantity,
    Ratio,
    Remembered,
    SignedMoney,
)

KINDS: tuple[Any, ...] = (Instant, Money, NaturalQuantity, PositiveQuantity, Quantity, Ratio, SignedMoney)
# Kept between examples, as a service keeps them between messages: what one text taught must not mislead another.
WITH = {kind: TypeAdapter[Any](kind) for kind in KINDS}


def _without(kind: Any) -> TypeAdapter[Any]:
    bare: Any = Annotated[kind.__origin__, *(part for part in kind.__metadata__ if not isinstance(part, Remembered))]
    return TypeAdapter(bare)


WITHOUT = {kind: _without(kind) for kind in KINDS}
TEXTS = ["", " 1 ", "1", "01", "1.0", "1e3", "-0", "+1", "NaN", "Infinity", "true"]
ODD: list[Any] = [0, 1, -1, 1.0, 1.5, True, False, None, *TEXTS]
values = (
    st.sampled_from(ODD)
    | st.decimals(-9, 9, places=3).map(str)
    | st.decimals()
    | st.datetimes(timezones=st.none()).map(lambda one: one.isoformat() + "+01:00")
    | st.datetimes(timezones=st.none()).map(lambda one: one.isoformat())
    | st.text(max_size=3)
    # A moment as a number of more digits is refused all the same, for the year it would be in and not for its length.
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e6, 1e6)
)


def told(read: Callable[[Any], Any], adapter: TypeAdapter[Any], value: Any) -> Any:
    """All there is to see of what was read, or what is wrong with it."""
    try:
        made = read(value)
    except ValidationError as error:
        return [(one["type"], one["loc"], one["msg"]) for one in error.errors(include_url=False)]
    return type(made), repr(made), adapter.dump_json(made)


def as_json(adapter: TypeAdapter[Any]) -> Callable[[Any], Any]:
    return lambda value: adapter.validate_json(json.dumps(value, default=str))


@given(st.sampled_from(range(len(KINDS))), values)
def test_value_is_what_the_contract_reads(kind: int, value: Any) -> None:
    adapter, oracle = WITH[KINDS[kind]], WITHOUT[KINDS[kind]]
    in_python, in_json = told(oracle.validate_python, oracle, value), told(as_json(oracle), oracle, value)
    for _ in range(3):
        assert told(adapter.validate_python, adapter, value) == in_python
        assert told(as_json(adapter), adapter, value) == in_json


def test_contract_without_a_memory_is_another_one() -> None:
    assert all("Remembered" not in repr(WITHOUT[kind].core_schema) for kind in KINDS)
    assert all("Remembered" in repr(WITH[kind].core_schema) for kind in KINDS)


def test_what_is_remembered_is_bounded_and_a_long_text_is_not() -> None:
    read: list[str] = []

    def note(value: str) -> str:
        read.append(value)
        return value

    adapter = TypeAdapter[str](Annotated[str, AfterValidator(note), Remembered()])
    for text in ("2", "2", "7" * (REMEMBERED_CHARACTERS_MAX + 1), "7" * (REMEMBERED_CHARACTERS_MAX + 1)):
        adapter.validate_json(json.dumps(text))
    assert read == ["2", "7" * (REMEMBERED_CHARACTERS_MAX + 1), "7" * (REMEMBERED_CHARACTERS_MAX + 1)]
    for number in range(REMEMBERED_MAX):
        adapter.validate_json(f'"other {number}"')
    adapter.validate_json('"2"')
    assert read.count("2") == 2


def test_two_kinds_do_not_share_what_they_remember() -> None:
    assert WITH[Quantity].validate_json('"-3"') == Decimal(-3)
    with pytest.raises(ValidationError, match="greater than 0"):
        WITH[PositiveQuantity].validate_json('"-3"')
