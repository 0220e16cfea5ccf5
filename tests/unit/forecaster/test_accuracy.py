"""Measures of the ledger against sums done by hand; the binomial band against scipy; each drift rule both ways."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from services.forecaster.domain.accuracy import RULES, Sums, binomial_band, drifts, measures

# Ten windows of 10 units each; expected 11 in each: error 1 a window, naive error 2, overrides made it no better.
CALM = Sums(
    windows=1000, hidden=0, actual=10_000, expected=10_500, model_expected=10_500, absolute_error=1_000,
    model_absolute_error=1_000, naive_absolute_error=2_000, losses=(50, 100, 60, 40, 20), below=(110, 520, 905, 952, 992),
)  # fmt: skip


def test_measures_are_ratios_of_sums() -> None:
    read = measures(CALM)
    assert read.total_error == pytest.approx(0.1)
    assert read.bias == pytest.approx(0.05)
    assert read.loss == pytest.approx(2 * (50 + 100 + 60 + 40 + 20) / 5 / 10_000)
    assert read.value_added == pytest.approx(0.5) and read.people_added == 0
    assert [one.share for one in read.coverage] == [0.11, 0.52, 0.905, 0.952, 0.992]


def test_windows_that_a_stock_out_hid_are_counted_and_nothing_else() -> None:
    read = measures(replace(CALM, windows=1500, hidden=500))
    assert (read.windows, read.hidden) == (1500, 500)
    assert read.coverage[2].share == pytest.approx(0.905)


def test_nothing_sold_is_unknown_and_not_perfect() -> None:
    read = measures(replace(CALM, actual=0, naive_absolute_error=0))
    assert (read.total_error, read.bias, read.loss, read.value_added) == (None, None, None, None)


@given(st.integers(1, 5_000), st.sampled_from([0.1, 0.5, 0.9, 0.95, 0.99]))
def test_the_band_is_that_of_the_binomial_distribution(count: int, level: float) -> None:
    """Oracle: scipy.stats.binom.ppf."""
    low, high = binomial_band(count, level)
    assert low * count == pytest.approx(binom.ppf(0.025, count, level))
    assert high * count == pytest.approx(binom.ppf(0.975, count, level))


def test_overlapping_windows_widen_the_band() -> None:
    day, month = measures(CALM, 1).coverage[3], measures(CALM, 28).coverage[3]
    assert month.low < day.low < 0.95 < day.high <= month.high


@pytest.mark.parametrize(
    ("rule", "sums"),
    [
        ("bias", replace(CALM, expected=12_500)),
        ("bias", replace(CALM, expected=7_500)),
        ("loss", replace(CALM, losses=(100, 200, 120, 80, 40))),
        ("coverage", replace(CALM, below=(110, 520, 780, 820, 880))),
        ("worse_than_naive", replace(CALM, naive_absolute_error=900)),
    ],
)
def test_each_rule_speaks_when_it_is_broken_and_only_then(rule: str, sums: Sums) -> None:
    assert drifts(CALM, 28, 7, 0.0108) == []
    found = drifts(sums, 28, 7, 0.0108)
    assert [one.rule for one in found] == [rule] and rule in RULES
    assert found[0].says[0].isupper()


def test_too_little_to_judge_is_silence() -> None:
    broken = replace(CALM, expected=20_000)
    assert drifts(broken, 6, 7, None) == []
    assert drifts(replace(broken, windows=199), 28, 7, None) == []
    assert [one.rule for one in drifts(broken, 7, 7, None)] == ["bias"]
