"""Overrides: units arrive where they were meant, are shared by level, spare the discontinued, and stay distributions."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.distribution import HORIZONS_DAYS
from services.forecaster.domain.frame import Frame, ItemRecord, codes
from services.forecaster.domain.overrides import Changed, Override, change
from services.forecaster.domain.panel import DemandPanel
from services.forecaster.domain.strategy import DistributionForecast

FIRST = date(2024, 1, 1)
DAYS_KNOWN = 100
ORIGIN = DAYS_KNOWN - 1
TOMORROW = FIRST + timedelta(days=DAYS_KNOWN)
# Daily demand of four items; the last sold nothing for 13 weeks.
RATES = (8.0, 2.0, 2.0, 0.0)


def frame_of(categories: tuple[str, ...] = ("milk", "milk", "bread", "milk")) -> Frame:
    last = FIRST + timedelta(days=ORIGIN)
    items = tuple(
        ItemRecord(f"s{number}", "L1", 0, category, FIRST, last) for number, category in enumerate(categories)
    )
    demand = np.repeat(np.array(RATES)[:, None], DAYS_KNOWN, axis=1)
    demand[3, 0] = 5.0
    panel = DemandPanel(
        tuple(f"{item.sku}/L1" for item in items), FIRST, demand, codes([item.location for item in items]),
        codes([item.category for item in items]), codes([item.sku for item in items]),
    )  # fmt: skip
    none = np.zeros((len(items), DAYS_KNOWN), dtype=np.bool_)
    zeros = np.zeros(len(items), dtype=np.int64)
    return Frame(items, panel, np.full(len(items), ORIGIN, dtype=np.int64), none, zeros, zeros)


def forecast_of(frame: Frame) -> DistributionForecast:
    by_day = np.repeat(np.array(RATES)[: len(frame.items), None], 56, axis=1)
    nodes = np.cumsum(by_day, axis=1)[:, [days - 1 for days in HORIZONS_DAYS]]
    ratios = np.array([0.4, 0.5, 0.7, 1.0, 1.2, 1.5, 1.7, 1.9, 2.1, 2.3, 2.6])
    return DistributionForecast(by_day, nodes[:, :, None] * ratios)


def override(kind: str, units: float, *, days: int = 7, start: int = 0, **scope: Any) -> Override:
    begin = TOMORROW + timedelta(days=start)
    end = begin + timedelta(days=days - 1)
    expires = scope.pop("expires_on", end + timedelta(days=1))
    return Override("o1", kind, begin, end, units, expires, **scope)


def applied(*overrides: Override, discontinued: frozenset[str] = frozenset()) -> tuple[Changed, DistributionForecast]:
    frame = frame_of()
    before = forecast_of(frame)
    return change(before, overrides, frame, ORIGIN, np.arange(4), discontinued), before


def test_one_item_is_replaced_by_exactly_the_units_named_and_others_are_left_alone() -> None:
    changed, before = applied(override("replace", 100, sku="s0", location="L1"))
    assert changed.distribution.by_day[0, :7].sum() == pytest.approx(100)
    assert changed.distribution.by_day[0, 7:] == pytest.approx(before.by_day[0, 7:])
    assert np.array_equal(changed.distribution.quantiles[1:], before.quantiles[1:])
    assert changed.ids == (("o1",), (), (), ())


def test_a_group_shares_by_level_and_gives_nothing_to_the_dead_and_the_discontinued() -> None:
    """Oracle: 8 and 2 units a day of milk share 100 units as 80 and 20, save that
    a level leans a little on its category (3 units here); the third milk sold nothing in 13 weeks."""
    changed, before = applied(override("add", 100, category="milk"))
    more = changed.distribution.by_day.sum(axis=1) - before.by_day.sum(axis=1)
    assert more == pytest.approx([80, 20, 0, 0], abs=3)
    assert more[2] == more[3] == 0
    assert more.sum() == pytest.approx(100)
    without, _ = applied(override("add", 100, category="milk"), discontinued=frozenset({"s0"}))
    assert without.distribution.by_day.sum(axis=1) - before.by_day.sum(axis=1) == pytest.approx([0, 100, 0, 0])


def test_an_item_named_outright_gets_its_units_though_it_never_sold() -> None:
    changed, _ = applied(override("add", 28, sku="s3", location="L1"))
    assert changed.distribution.by_day[3, :7] == pytest.approx(4.0)
    week = changed.distribution.quantiles[3, HORIZONS_DAYS.index(7)]
    assert week[0] < 28 < week[-1]


def test_only_the_part_of_the_period_that_is_ahead_counts() -> None:
    """Three of ten days are over: seven tenths of the units are still to come."""
    changed, before = applied(override("add", 100, days=10, start=-3, sku="s0", location="L1"))
    more = changed.distribution.by_day[0] - before.by_day[0]
    assert more[:7].sum() == pytest.approx(70) and more[7:] == pytest.approx(0)


def test_an_expired_override_changes_nothing() -> None:
    changed, before = applied(override("add", 100, sku="s0", location="L1", expires_on=TOMORROW - timedelta(days=1)))
    assert changed.ids[0] == () and np.array_equal(changed.distribution.by_day, before.by_day)


def test_the_later_replacement_stands_and_additions_add() -> None:
    first, second = override("replace", 10, sku="s0", location="L1"), override("replace", 70, sku="s0", location="L1")
    more = override("add", 7, sku="s0", location="L1")
    changed, _ = applied(first, second, more)
    assert changed.distribution.by_day[0, :7].sum() == pytest.approx(77)


def test_the_spread_grows_with_the_square_root() -> None:
    """A sum of independent customers: four times the demand, twice the spread."""
    changed, before = applied(override("replace", 8.0 * 56 * 4, days=56, sku="s0", location="L1"))
    node = HORIZONS_DAYS.index(28)
    spread = changed.distribution.quantiles[0, node] - 8 * 28 * 4
    assert spread == pytest.approx(2 * (before.quantiles[0, node] - 8 * 28))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "replace"]), st.floats(-500, 500), st.integers(-5, 50), st.integers(1, 60),
            st.sampled_from([{"sku": "s0"}, {"category": "milk"}, {"location": "L1"}, {"sku": "s3", "location": "L1"}]),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_whatever_people_say_it_stays_a_distribution(told: list[tuple[str, float, int, int, dict[str, str]]]) -> None:
    overrides = [
        override(kind, abs(units) if kind == "replace" else units, start=start, days=days, **scope)
        for kind, units, start, days, scope in told
    ]
    changed, _ = applied(*overrides)
    quantiles = changed.distribution.quantiles
    assert np.isfinite(quantiles).all() and (quantiles >= 0).all() and (changed.distribution.by_day >= 0).all()
    assert (np.diff(quantiles, axis=1) >= -1e-9).all() and (np.diff(quantiles, axis=2) >= -1e-9).all()
