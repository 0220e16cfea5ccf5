"""The Pareto report on history: settings are judged by the demand that came, with levels nobody could have known better."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.cascade import plan
from services.policy.domain.evidence import Evidence
from services.policy.pareto import GRID, report
from services.policy.pareto_history import History, Origin, report_on
from tests.examples import examples
from tests.unit.policy.examples import DAY, PLAIN, forecast_of, with_

FIRST = DAY + timedelta(days=1)
WEEKS = 8


def history(*rows: list[float], first: date = FIRST) -> History:
    return History(first, np.asarray(rows, dtype=np.float64))


def asked(daily: float, days: int = 7 * WEEKS, seed: int = 3) -> list[float]:
    units: list[float] = np.random.default_rng(seed).poisson(daily, days).astype(float).tolist()
    return units


def of(evidence: Evidence, *rows: list[float]) -> dict[str, object]:
    found = report_on(history(*rows), [Origin(FIRST, [evidence] * len(rows))])
    return dict(found["all"]["in_force"])


def test_the_level_in_force_is_walked_through_the_days_by_hand() -> None:
    """No lead time but the review's own day: what is above the level is lost each day, and what is below is left."""
    evidence = with_(PLAIN, terms={"lead_time_days": 0})
    (outcome,) = plan([evidence])
    level = outcome.reorder_point
    assert level is not None
    days = [float(units) for units in (0, 1, 2, int(level) + 4, 0, 9, 1)]
    lost = sum(max(units - float(level), 0.0) for units in days)
    told = of(evidence, days)
    assert lost > 0 and told["margin_lost_a_year"] == pytest.approx(lost * 1.00 * 365 / 7, abs=0.01)
    left = sum(max(float(level) - units, 0.0) for units in days)
    assert told["holding_a_year"] == pytest.approx(left * 2.00 * 0.25 / 7, abs=0.01)
    assert told["fill_rate"] == pytest.approx(1 - lost / sum(days), abs=1e-4)
    assert told["stock_value_at_level"] == float(level) * 2.00


def test_demand_that_the_forecast_did_not_see_shows_here_and_not_in_the_forecasts_report() -> None:
    foreseen = report([PLAIN])["all"]["in_force"]
    as_foreseen, doubled, nothing = (of(PLAIN, asked(daily)) for daily in (2.0, 6.0, 0.0))
    assert foreseen["fill_rate"] > 0.97 and float(str(as_foreseen["fill_rate"])) > 0.95
    assert float(str(doubled["fill_rate"])) < 0.75, "the level was set for a third of what came"
    assert (nothing["fill_rate"], nothing["margin_lost_a_year"]) == (None, 0)


def test_only_settings_that_no_other_beats_on_history_are_told_and_by_class_they_add_up() -> None:
    items = [with_(PLAIN, item={"abc_class": letter}) for letter in "AC"]
    found = report_on(history(asked(2.0, seed=1), asked(2.0, seed=2)), [Origin(FIRST, items)])
    assert (found["items"], found["items_left_out"]) == (2, 0)
    assert (found["first_day"], found["last_day"]) == ("2017-11-06", "2017-12-31")
    names = [name for row in found["all"]["efficient"] for name in row["like"]] + found["all"]["beaten"]
    assert sorted(names) == sorted(f"{one.service:g}:{one.cost:g}:{one.risk:g}" for one in GRID)
    parts = [one["in_force"]["holding_a_year"] for one in found["by_class"].values()]
    assert set(found["by_class"]) == {"A", "C"} and sum(parts) == pytest.approx(
        found["all"]["in_force"]["holding_a_year"], abs=0.02
    )


def test_an_item_without_a_day_that_counts_or_without_a_plan_is_left_out_and_counted() -> None:
    broken = with_(PLAIN, terms={"unit_cost": None})
    unknown = [float("nan")] * 14
    found = report_on(history(asked(2.0, 14), unknown, asked(2.0, 14)), [Origin(FIRST, [PLAIN, PLAIN, broken])])
    assert (found["items"], found["items_left_out"]) == (1, 2)
    nobody = report_on(history(unknown), [Origin(FIRST, [broken])])
    assert (nobody["items"], nobody["items_left_out"], nobody["by_class"]) == (0, 1, {})


def later(days: int, daily: float) -> tuple[date, Evidence]:
    as_of = DAY + timedelta(days=days)
    return as_of + timedelta(days=1), replace(PLAIN, as_of=as_of, forecast=replace(forecast_of(daily), origin=as_of))


@settings(max_examples=examples(15), deadline=None)
@given(st.sampled_from([0.5, 4.0, 20.0]), st.integers(0, 40))
def test_what_is_forecast_later_changes_nothing_of_the_days_before(daily: float, seed: int) -> None:
    """The first fortnight judged alone, and as the beginning of a month in which another forecast came: lost sales of the
    month are those of its halves, the second walked on from what the first left."""
    days = asked(3.0, 14, seed)
    origins = [Origin(FIRST, [PLAIN]), Origin((starts := later(14, daily))[0], [starts[1]])]
    alone = report_on(history(days), origins[:1])["all"]["in_force"]
    quiet = report_on(history([*days, *[float("nan")] * 14]), origins)["all"]["in_force"]
    for name in ("margin_lost_a_year", "holding_a_year", "fill_rate"):
        assert quiet[name] == alone[name], name


def test_a_newer_forecast_counts_from_its_own_day_on() -> None:
    starts, newer = later(14, 8.0)
    days = [*asked(2.0, 14), *asked(8.0, 28)]
    stale = report_on(history(days), [Origin(FIRST, [PLAIN])])["all"]["in_force"]
    renewed = report_on(history(days), [Origin(FIRST, [PLAIN]), Origin(starts, [newer])])["all"]["in_force"]
    assert renewed["fill_rate"] > stale["fill_rate"] + 0.2
    ended = report_on(history(days), [Origin(FIRST, [PLAIN]), Origin(starts, [None])])
    first = report_on(history(days[:14]), [Origin(FIRST, [PLAIN])])
    assert ended["all"]["in_force"]["margin_lost_a_year"] == first["all"]["in_force"]["margin_lost_a_year"]


def test_the_parameters_in_force_are_those_of_the_evidence() -> None:
    poor = with_(PLAIN, parameters={"service_goal_b": Decimal("0.50"), "service_minimum": Decimal("0.10")})
    days = asked(2.0)
    assert float(str(of(poor, days)["fill_rate"])) < float(str(of(PLAIN, days)["fill_rate"]))
