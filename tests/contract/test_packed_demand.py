"""The text that carries a distribution: whatever the numbers, it is short, read back as written, and refused when damaged."""

from base64 import b64decode, b64encode
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import packing
from schemas.forecasts import DAYS, HORIZONS_DAYS, LEVELS, DemandDistribution, ForecastIssuedV2
from tests.examples import examples

ROWS, COLUMNS = len(HORIZONS_DAYS), len(LEVELS)


@st.composite
def distributions(draw: st.DrawFn) -> DemandDistribution:
    """Numbers of any size that rise along levels and horizons."""
    largest = draw(st.sampled_from([3, 500, 100_000, 10**9, 10**13]))
    numbers = st.integers(0, largest)
    means = draw(st.lists(numbers, min_size=DAYS, max_size=DAYS))
    steps = draw(st.lists(st.lists(numbers, min_size=COLUMNS, max_size=COLUMNS), min_size=ROWS, max_size=ROWS))
    down = list(accumulate(steps, lambda above, row: [a + b for a, b in zip(above, row, strict=True)]))
    return DemandDistribution(mean_e4=tuple(means), quantiles_e2=tuple(tuple(accumulate(row)) for row in down))


def event(demand: object) -> ForecastIssuedV2:
    return ForecastIssuedV2.model_validate(
        {
            "tenant": "t", "sku": "s", "location": "l", "forecast_id": "f", "origin": "2024-01-01", "strategy": "ets",
            "model_id": "m", "demand": demand, "confidence": "0.5",
        }
    )  # fmt: skip


@settings(max_examples=examples(40))
@given(distributions())
def test_a_text_is_short_and_says_what_was_written_to_half_of_its_last_digit(demand: DemandDistribution) -> None:
    text = packing.pack(demand.mean_e4, demand.quantiles_e2)
    assert len(text) <= packing.TEXT_MAX
    half = 10 ** b64decode(text)[0] // 2
    means, quantiles = packing.unpack(text, DAYS, ROWS, COLUMNS)
    assert max(abs(a - b) for a, b in zip(means, demand.mean_e4, strict=True)) <= half
    for row, was in zip(quantiles, demand.quantiles_e2, strict=True):
        assert max(abs(a - b) for a, b in zip(row, was, strict=True)) <= half


@settings(max_examples=examples(20))
@given(distributions())
def test_an_event_holds_what_its_reader_will_have(demand: DemandDistribution) -> None:
    made = event(demand)
    assert ForecastIssuedV2.model_validate_json(made.wire()) == made
    assert ForecastIssuedV2.model_validate_json(made.wire()).wire() == made.wire()


def test_the_format_is_the_one_that_is_described() -> None:
    """By hand: exponent 0; means 3 a day, so six weeks of no difference; quantiles 1 at the lowest level, 200 at the rest."""
    one_week, later = [6] * 7, [0] * 49
    first, others = [1, 0xC7, 0x01] + [0] * 9, [0, 0xC7, 0x01] + [0] * 9
    text = b64encode(bytes([0, *one_week, *later, *first, *others * 10])).decode()
    assert packing.pack((3,) * 56, ((1, *(200,) * 10),) * 11) == text
    assert packing.unpack(text, DAYS, ROWS, COLUMNS) == ((3,) * 56, ((1, *(200,) * 10),) * 11)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds 0 numbers"),
        ("no base64!", "not base64"),
        (b64encode(bytes([0] * 100)).decode(), "holds 99 numbers"),
        (b64encode(bytes([0] * 177 + [0x80])).decode(), "middle of a number"),
        (b64encode(bytes([99] + [0] * 177)).decode(), "exponent"),
        (b64encode(bytes([0, 1] + [0] * 176)).decode(), "below zero"),
    ],
)
def test_a_damaged_text_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        event(text)


def test_quantiles_that_fall_along_horizons_are_refused() -> None:
    rows = [[0] * 10 + [5], *[[0] * 11] * 10]
    with pytest.raises(ValidationError, match="shorter horizon"):
        event(b64encode(bytes([0] * 57 + [step for row in rows for step in row])).decode())
