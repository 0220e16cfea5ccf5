"""Every strategy behind the one interface: against hand-made and library oracles, on odd series, chosen and pinned."""

import importlib.util

import numpy as np
import pytest

from services.forecaster.domain.intermittent import RATES, Intermittent, adida, croston_sba, imapa, tsb
from services.forecaster.domain.metrics import weighted_quantile_loss
from services.forecaster.domain.segments import assigned, best_of, segments
from services.forecaster.domain.smoothing import ExponentialSmoothing, MovingAverage, Theta, smooth
from services.forecaster.model import quantile_heads
from services.forecaster.model.choice import decide
from services.forecaster.model.extras import ExtraMissing, ProphetPerItem, XGBoosting
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.outlook import look_ahead
from services.forecaster.model.quantile_heads import QuantileHeads
from services.forecaster.model.strategies import CONTESTANTS, NAMES, SIMPLE, strategy_named
from tests.unit.forecaster.worlds import panel, retail

SPARSE = np.array([0, 0, 3, 0, 0, 0, 2, 0, 4, 0, 0, 1], dtype=np.float64)


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def needs(package: str, extra: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not has(package), reason=f"{package} is not installed; pip install '.[{extra}]'")


def test_simple_smoothing_is_the_textbook_recursion() -> None:
    series = np.array([[3.0, 5.0, 4.0, 8.0]])
    level, error = smooth(series, 0.3, 0.0, 0.0, 0, 2)
    by_hand, squares = 3.0, 0.0
    for value in (5.0, 4.0, 8.0):
        squares += (value - by_hand) ** 2
        by_hand = 0.3 * value + 0.7 * by_hand
    assert level[0].tolist() == pytest.approx([by_hand, by_hand]) and error[0] == pytest.approx(squares)


def test_simple_smoothing_gives_the_months_that_a_user_of_erpnext_worked_out_by_hand() -> None:
    """frappe/erpnext issue 31640: thirteen months of milk, smoothing factor 0.3; the product's own column was wrong."""
    sold = [94764, 103900, 167777, 291264, 318568, 239092, 220916, 216408, 197992, 177392, 166972, 178884, 136664]
    said = [94764, 97505, 118586, 170390, 214843, 222118, 221757, 220153, 213504, 202671, 191961, 188038, 172626]
    series = np.array([sold], dtype=np.float64)
    for months in range(1, len(sold) + 1):
        ahead, _ = smooth(series[:, :months], 0.3, 0.0, 0.0, 0, 1)
        assert ahead[0, 0] == pytest.approx(said[months - 1], abs=0.51)  # written in whole bottles


def test_croston_and_tsb_by_hand() -> None:
    # Sizes 3, 2, 4, 1 after intervals 3, 4, 2, 3; both smoothed with 0.1 from the first.
    size = ((3 * 0.9 + 0.2) * 0.9 + 0.4) * 0.9 + 0.1
    interval = ((3 * 0.9 + 0.4) * 0.9 + 0.2) * 0.9 + 0.3
    assert croston_sba(SPARSE[None])[0] == pytest.approx(0.95 * size / interval)
    chance = 0.0
    for sold in (SPARSE > 0)[1:]:
        chance += 0.05 * (sold - chance)
    assert tsb(SPARSE[None])[0] == pytest.approx(size * chance)


@needs("statsforecast", "bench")
@pytest.mark.parametrize("seed", range(5))
def test_intermittent_methods_agree_with_statsforecast(seed: int) -> None:
    from statsforecast.models import TSB, CrostonSBA

    series = np.random.default_rng(seed).poisson(0.4, 120).astype(np.float64)
    theirs = CrostonSBA().forecast(y=series, h=1)["mean"][0]
    assert croston_sba(series[None])[0] == pytest.approx(theirs, rel=1e-6)
    theirs = TSB(alpha_d=0.1, alpha_p=0.05).forecast(y=series, h=1)["mean"][0]
    assert tsb(series[None])[0] == pytest.approx(theirs, rel=1e-6)


def test_aggregation_methods_find_the_rate_of_steady_sparse_demand() -> None:
    series = np.tile([0.0, 0.0, 0.0, 2.0], 40)[None]
    assert adida(series)[0] == pytest.approx(0.5, rel=0.02)
    assert imapa(series)[0] == pytest.approx(0.5, rel=0.35)


def test_theta_and_holt_follow_a_trend_that_simple_smoothing_lags_behind() -> None:
    rising = panel(np.tile(10 + 0.2 * np.arange(200), (3, 1)))
    truth = 10 + 0.2 * np.arange(200, 228)
    flat, holt, theta = (
        strategy.expected(rising, 199, 28).by_day[0].sum()
        for strategy in (ExponentialSmoothing("ses"), ExponentialSmoothing("holt"), Theta())
    )
    assert flat < 0.97 * truth.sum()
    assert abs(holt / truth.sum() - 1) < 0.03 and abs(theta / truth.sum() - 1) < 0.05


def test_holt_winters_learns_the_weekday() -> None:
    week = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 0.0])
    world = panel(np.tile(np.tile(week, 30), (2, 1)))
    answer = ExponentialSmoothing("holt_winters").expected(world, 209, 14).by_day[0]
    np.testing.assert_allclose(answer, np.tile(week, 2), atol=0.2)


@pytest.mark.parametrize("name", SIMPLE)
def test_every_simple_strategy_is_unbiased_finite_and_blind_to_the_future(name: str) -> None:
    world, mean = retail(150, 330, seed=3)
    odd = np.full((4, 330), np.nan)
    odd[0, 329], odd[1], odd[2, 200:], odd[3] = 3.0, 0.0, 5.0, np.where(np.arange(330) == 200, 1e6, 1.0)
    mixed = panel(np.vstack([world.demand, odd]))
    planted = mixed.demand.copy()
    planted[:, 302:] = 1e6
    strategy = SIMPLE[name].fit(mixed.until(301))
    answer = strategy.expected(mixed, 301, 28)
    assert np.isfinite(answer.by_day).all() and (answer.by_day >= 0).all()
    np.testing.assert_array_equal(answer.by_day, strategy.expected(panel(planted), 301, 28).by_day)
    some = np.array([5, 77])
    np.testing.assert_array_equal(strategy.expected(mixed, 301, 28, some).by_day, answer.by_day[some])
    truth = mean[:, 302:330].sum()
    bound = {"seasonal_naive": 0.12, "croston_sba": 0.6}.get(name, 0.08)
    assert abs(answer.by_day[:150].sum() / truth - 1) < bound


def test_segments_tell_steady_from_sparse_from_young_from_dead() -> None:
    generator = np.random.default_rng(1)
    demand = np.vstack([
        generator.poisson(20, 200), generator.poisson(0.1, 200), np.r_[generator.poisson(3, 50), np.zeros(150)],
        np.r_[np.full(170, np.nan), generator.poisson(3, 30)],
    ])  # fmt: skip
    assert segments(panel(demand), 199) == ("smooth", "intermittent", "dead", "young")


def test_a_near_tie_stays_with_the_preferred_strategy() -> None:
    assert best_of({"lightgbm": 1.01, "tsb": 1.0}, "lightgbm") == "lightgbm"
    assert best_of({"lightgbm": 1.1, "tsb": 1.0}, "lightgbm") == "tsb"
    assert best_of({}, "lightgbm") == "lightgbm"


def test_a_pin_on_an_item_beats_one_on_its_class_which_beats_the_back_test() -> None:
    names = assigned(
        ["smooth"] * 3, {"smooth": "theta"}, "lightgbm",
        item_pins={0: "tsb"}, class_of=("A", "A", "B"), class_pins={"A": "ets"},
    )  # fmt: skip
    assert names == ("tsb", "ets", "theta")


def test_the_back_test_finds_who_is_better_and_only_those_chosen_are_fitted() -> None:
    world, _ = retail(800, 200, seed=8)
    demand = world.demand.copy()
    demand[:, 100:] *= 2.0  # a level shift: whoever averages the whole past is wrong by a quarter
    shifted = panel(demand)
    candidates = {"long": MovingAverage(180), "short": MovingAverage(28)}
    choice, scores = decide(shifted, candidates, "long")
    assert set(choice.names.values()) == {"short"}
    assert all(told["short"] < told["long"] for told in scores.values())
    fitted = choice.fit(shifted)
    assert set(fitted.members) == {"short"} and set(fitted.spoken_by(shifted)) == {"moving_average"}


def test_pinned_items_are_answered_by_their_strategy_bit_for_bit() -> None:
    world, _ = retail(60, 200)
    choice, _ = decide(world, {"theta": Theta(), "tsb": Intermittent("tsb")}, "theta", item_pins={7: "tsb"})
    answer = choice.fit(world).expected(world, 199, 28).by_day
    np.testing.assert_array_equal(answer[7], Intermittent("tsb").expected(world, 199, 28).by_day[7])
    np.testing.assert_array_equal(answer[8], Theta().expected(world, 199, 28).by_day[8])


def test_every_name_has_a_strategy_and_the_contest_is_among_them() -> None:
    for name in NAMES:
        assert strategy_named(name, seed=1, threads=1, horizon=28).name
    assert set(CONTESTANTS) <= set(NAMES) and set(RATES) <= set(NAMES)


@needs("xgboost", "xgboost")
def test_xgboost_runs_and_is_unbiased() -> None:
    world, mean = retail(200, 300)
    said = XGBoosting(rounds=60).fit(world.until(271)).expected(world.until(271), 271, 28)
    assert said.by_day.sum() == pytest.approx(mean[:, 272:300].sum(), rel=0.05)


@pytest.mark.slow
@needs("prophet", "prophet")
# Prophet drops columns in a way that pandas 4 will not know.
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_prophet_runs_through_calibration() -> None:
    world, mean = retail(3, 200)
    everyone = np.full(3, fill_value=True)
    answer = look_ahead(world.until(171), everyone, lambda _: ProphetPerItem(), 28, (0.5, 0.9))
    assert answer.strategies == ("prophet",) * 3
    assert answer.mean.sum() == pytest.approx(mean[:, 172:200].sum(), rel=0.25)


@pytest.mark.parametrize(("package", "strategy"), [("xgboost", XGBoosting()), ("prophet", ProphetPerItem())])
def test_a_missing_extra_is_named(package: str, strategy: XGBoosting | ProphetPerItem) -> None:
    if has(package):
        pytest.skip(f"{package} is installed, so nothing is missing")
    world, _ = retail(5, 150)
    with pytest.raises(ExtraMissing, match=rf"countersign\[{package}\]"):
        strategy.fit(world)


def test_the_global_model_and_simple_strategies_share_one_answer_shape() -> None:
    world, _ = retail(40, 200)
    everyone = np.full(40, fill_value=True)
    for strategy in (GradientBoosting(rounds=5, lead_max=14), Theta()):
        answer = look_ahead(world, everyone, lambda _, one=strategy: one, 14, (0.5, 0.9), (7,))  # type: ignore[misc]
        assert answer.mean.shape == (40, 14) and answer.quantiles.shape == (40, 14, 2)
        assert answer.totals[7][1].shape == (40, 2)


@pytest.mark.slow
def test_quantile_heads_know_that_a_promotion_makes_a_day_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantile_heads, "ROUNDS", 50)
    monkeypatch.setattr(quantile_heads, "ROWS_MAX", 30_000)
    generator = np.random.default_rng(5)
    promoted = generator.random((100, 330)) < 0.15
    factor = np.where(promoted, generator.lognormal(-0.72, 1.2, (100, 330)), 1.0)  # mean 1: only the spread
    demand = generator.poisson(10.0 * factor).astype(np.float64)
    world = panel(demand, known_names=("promotion",), known=promoted.astype(np.float64)[:, :, None])
    levels = (0.1, 0.5, 0.9)
    answers = [
        look_ahead(
            world.until_with_known(301, 329), np.full(100, fill_value=True),
            lambda _: GradientBoosting(rounds=25, rows_max=30_000, lead_max=28), 28, levels, heads=heads,
        )
        for heads in (None, QuantileHeads(levels, 28))
    ]  # fmt: skip
    came = demand[:, 302:330].ravel()
    losses = [
        sum(weighted_quantile_loss(came, one.quantiles.reshape(-1, 3)[:, at], level) for at, level in enumerate(levels))
        for one in answers
    ]
    assert losses[1] < 0.985 * losses[0]
    covered = float(np.mean(came <= answers[1].quantiles.reshape(-1, 3)[:, 2]))
    assert covered == pytest.approx(0.9, abs=0.03)
