"""The trend of memory: what grows is seen, what comes and goes is not taken for growth."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from lab.bench.machine import family_mb, lasting_mb, trend


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


def test_only_processes_that_last_are_in_the_trend() -> None:
    """A service (1) that is flat, its lasting child (2) that grows, and a job (3) that lives a while."""
    samples = [
        (index * 2.0, {1: 200.0, 2: 80.0 + index / 30} | ({3: 300.0} if 60 <= index < 100 else {}))
        for index in range(120)
    ]
    lasting = lasting_mb(samples)
    assert len(lasting) == 60 and max(size for _, size in lasting) < 290
    assert trend(lasting) == 1.0
    assert lasting_mb([]) == []


def test_a_child_is_told_apart_from_its_parent_and_what_has_ended_is_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        family = family_mb(os.getpid())
        assert family[os.getpid()] > 10 and child.pid in family
    finally:
        child.communicate(b"\n")
    assert family_mb(child.pid) == {}
