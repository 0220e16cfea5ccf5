"""Distributions keep their promises where the truth is known; odd series get a defined answer."""

import warnings

import numpy as np
import pytest

from kernel.distribution import HORIZONS_DAYS, LEVELS
from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.calibration import Samples, fit_horizon, negative_binomial_quantiles
from services.forecaster.domain.panel import mask_censored
from services.forecaster.domain.series import confidence, flags
from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.pipeline import HistoryTooShort, baseline, train
from services.forecaster.model.shelf import ArtefactDamaged, Directory
from tests.unit.forecaster.worlds import panel, retail

QUICK = GradientBoosting(rounds=40, rows_max=60_000)


@pytest.fixture(scope="module")
def trained():  # type: ignore[no-untyped-def]
    """A model trained on 400 items of known truth, and eight weeks it never saw."""
    world, mean = retail(400, 400)
    return world, mean, train(world.until(343), QUICK)


def test_quantiles_of_totals_cover_what_they_say_on_unseen_weeks(trained) -> None:  # type: ignore[no-untyped-def]
    world, _, model = trained
    answer = model.forecast(world.until(343), 343)
    for horizon in (1, 7, 14, 28):
        total = world.demand[:, 344 : 344 + horizon].sum(axis=1)
        for level in (0.9, 0.95, 0.99):
            quantile = answer.quantiles[:, HORIZONS_DAYS.index(horizon), LEVELS.index(level)]
            covered = float(np.mean(total <= quantile + 1e-9))
            # Three standard errors of a share over 400 items, and the mass counts have at the quantile above it.
            band = 3 * np.sqrt(level * (1 - level) / 400)
            assert covered >= level - band, (horizon, level, covered)
            if horizon >= 14:
                assert covered <= min(1.0, level + band + 0.02), (horizon, level, covered)


def test_expected_totals_come_within_two_percent_of_the_truth(trained) -> None:  # type: ignore[no-untyped-def]
    world, mean, model = trained
    answer = model.forecast(world.until(343), 343)
    assert answer.by_day[:, :28].sum() == pytest.approx(mean[:, 344:372].sum(), rel=0.02)


def test_the_model_beats_the_seasonal_naive_in_its_own_back_test(trained) -> None:  # type: ignore[no-untyped-def]
    _, _, model = trained
    assert model.metrics["total_error_28d"] < 0.8 * model.metrics["naive_total_error_28d"]
    assert abs(model.metrics["bias_28d"]) < 0.05


def test_quantiles_rise_with_level_and_horizon(trained) -> None:  # type: ignore[no-untyped-def]
    world, _, model = trained
    quantiles = model.forecast(world, 399).quantiles
    assert (np.diff(quantiles, axis=1) >= 0).all() and (np.diff(quantiles, axis=2) >= 0).all()
    assert (quantiles >= 0).all()


def test_same_data_and_seed_give_the_same_bytes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    world, _ = retail(60, 240)
    store = ArtefactStore(Directory(tmp_path))
    trained = (train(world, GradientBoosting(rounds=15, threads=cores)) for cores in (1, 2))
    first, second = (store.save(one, window_from="a", window_to="b", items=60, seed=1) for one in trained)
    assert first == second
    loaded, _ = store.load(first)
    fresh = train(world, GradientBoosting(rounds=15))
    np.testing.assert_array_equal(loaded.forecast(world, 239).quantiles, fresh.forecast(world, 239).quantiles)


def test_a_damaged_model_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    world, _ = retail(60, 240)
    store = ArtefactStore(Directory(tmp_path))
    name = store.save(train(world, GradientBoosting(rounds=5)), window_from="a", window_to="b", items=60, seed=1)
    text = next(tmp_path.glob("*.txt"))
    text.write_text(text.read_text().replace("leaf_value", "leaf_valve", 1))
    with pytest.raises(ArtefactDamaged, match="SHA-256"):
        store.load(name)


def test_masking_stock_out_days_removes_the_bias_that_ignoring_them_has() -> None:
    world, mean = retail(300, 300, seed=4)
    generator = np.random.default_rng(9)
    hidden = generator.random(world.demand.shape) < 0.12
    sold = np.where(hidden, np.floor(world.demand * 0.2), world.demand)
    masked, count = mask_censored(sold, hidden)
    truth = mean[:, 244:300].sum()  # the 56 days after day 243 have the profile of the 56 before the end
    ignoring = SeasonalNaive().expected(panel(sold), 299).by_day.sum()
    honest = SeasonalNaive().expected(panel(masked), 299).by_day.sum()
    assert abs(honest / truth - 1) < 0.02
    assert ignoring / truth - 1 < -0.05
    assert count.sum() == hidden.sum()


ODD = {
    "one point": np.r_[np.full(199, np.nan), 3.0],
    "all zeros": np.zeros(200),
    "constant": np.full(200, 4.0),
    "nothing known": np.full(200, np.nan),
    "one huge spike": np.r_[np.ones(150), 1e6, np.ones(49)],
    "dead for half a year": np.r_[np.ones(20), np.zeros(180)],
    "gaps": np.where(np.arange(200) % 3 == 0, np.nan, 2.0),
    "tiny": np.full(200, 1e-4),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_series_get_a_finite_answer_and_a_reason(name: str) -> None:
    world, _ = retail(80, 200)
    demand = np.vstack([world.demand, ODD[name]])
    mixed = panel(demand)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = baseline(mixed, 199).forecast(mixed, 199)
        learned = train(mixed, GradientBoosting(rounds=5)).forecast(mixed, 199)
    for one in (answer, learned):
        assert np.isfinite(one.by_day).all() and np.isfinite(one.quantiles).all()
        assert (one.by_day >= 0).all() and (one.quantiles >= 0).all()
    nothing = np.zeros(81, dtype=np.int64)
    reasons = flags(mixed, 199, np.zeros(81), nothing)[-1]
    wanted = {
        "one point": "new_item",
        "all zeros": "no_sales",
        "nothing known": "new_item",
        "dead for half a year": "no_recent_sales",
    }
    assert wanted.get(name) in (None, *reasons)
    assert 0 <= confidence(mixed, 199, np.zeros(81), has_model=True)[-1] <= 1


def test_one_item_and_three_days_still_get_an_answer() -> None:
    world = panel([[2.0, 0.0, 1.0]])
    answer = baseline(world, 2).forecast(world, 2)
    assert answer.by_day.shape == (1, 56) and answer.quantiles[0, -1, -1] > answer.quantiles[0, -1, 3] > 0


def test_too_little_history_to_train_is_said_with_both_numbers() -> None:
    world, _ = retail(10, 90)
    with pytest.raises(HistoryTooShort, match="90 days of history are known, training needs 120"):
        train(world, QUICK)


def test_nothing_measured_falls_back_to_the_negative_binomial() -> None:
    assert fit_horizon(Samples(np.ones(10), np.ones(10), np.ones(10))) is None
    quantiles = negative_binomial_quantiles(np.array([5.0]), np.array([1.0]))
    # scipy.stats.nbinom(5, 0.5): mean 5, variance 10.
    assert quantiles[0, LEVELS.index(0.5)] == 4 and quantiles[0, LEVELS.index(0.99)] == 14
