"""The trend of memory: what grows is seen, what comes and goes is not taken for growth."""

from hypothesis import given
from hypothesis import strategies as st

from lab.bench.machine import trend


def every_two_seconds(sizes: list[float]) -> list[tuple[float, float]]:
    return [(index * 2.0, size) for index, size in enumerate(sizes)]


@given(st.integers(10, 150), st.floats(-50, 50), st.floats(10, 1000))
def test_a_steady_growth_is_told_as_it_is(count: int, per_minute: float, begin: float) -> None:
    points = [(at, begin + per_minute * at / 60) for at, _ in every_two_seconds([0.0] * count)]
    assert abs(trend(points) - per_minute) < 0.01


@given(st.integers(0, 119))
def test_a_job_that_takes_half_a_gigabyte_for_a_minute_is_no_trend(begin: int) -> None:
    sizes = [500.0 + 450.0 * (begin <= index < begin + 30) for index in range(150)]
    assert trend(every_two_seconds(sizes)) == 0.0


def test_one_sample_has_no_trend() -> None:
    assert trend([(0.0, 500.0)]) == 0.0
