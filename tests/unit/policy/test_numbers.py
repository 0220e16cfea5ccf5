"""Numbers as text: the short way tells every number as the long way does (format, parse, format again)."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from services.policy.domain.numbers import decimal_of, plain


def _the_long_way(value: Decimal) -> str:
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


@given(st.decimals(allow_nan=False))
@example(Decimal("1E+3"))
@example(Decimal("-0E-9"))
@example(Decimal("0.00000010"))
@example(Decimal("-0.00"))
@example(Decimal("100"))
def test_a_decimal_is_told_as_its_fixed_point_format_without_idle_zeros(value: Decimal) -> None:
    assert plain(value) == _the_long_way(value)


@given(st.floats(allow_nan=False), st.integers(0, 6))
@example(-0.00001, 4)
@example(1e22, 2)
@example(100.0, 0)
@example(float("inf"), 4)
def test_a_float_becomes_the_decimal_that_parsing_it_twice_gives(value: float, places: int) -> None:
    made, expected = decimal_of(value, places), Decimal(_the_long_way(Decimal(f"{value:.{places}f}")))
    assert made.as_tuple() == expected.as_tuple()
