"""The heads of the distribution: the negative binomial against the truth of its own world, and who is chosen where."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import nbinom

from services.forecaster.domain import calibration
from services.forecaster.domain.calibration import HorizonCalibration, Samples, best_head
from services.forecaster.domain.metrics import weighted_quantile_loss
from services.forecaster.domain.negative_binomial import (
    DISPERSIONS,
    NegativeBinomialHead,
    fit_head,
    likeliest_dispersion,
    quantiles_of,
)
from services.forecaster.domain.panel import FloatArray
from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.heads import AVERAGE, COUNTS, EVERY_CLASS, LEARNED, MEDIAN, POOLED, best_heads, spoken
from services.forecaster.model.pipeline import train
from services.forecaster.model.shelf import Directory
from tests.unit.forecaster.worlds import retail

LEVELS = (0.1, 0.5, 0.9, 0.95, 0.99)


def counts(rows: int, dispersion: float, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    """Expectations from a twentieth of a unit to twenty, and what came of them."""
    generator = np.random.default_rng(seed)
    mean = np.exp(generator.uniform(np.log(0.05), np.log(20.0), rows))
    return mean, generator.negative_binomial(mean / (dispersion - 1), 1 / dispersion).astype(np.float64)


def loss(realised: FloatArray, quantiles: FloatArray) -> float:
    return float(np.mean([weighted_quantile_loss(realised, quantiles[:, at], one) for at, one in enumerate(LEVELS)]))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dispersion", [1.2, 4.0, 40.0])
def test_quantiles_are_those_of_scipys_negative_binomial(level: float, dispersion: float) -> None:
    mean = np.array([0.02, 0.7, 5.0, 300.0])
    theirs = nbinom.ppf(level, mean / (dispersion - 1), 1 / dispersion)
    np.testing.assert_array_equal(quantiles_of(mean, np.array(dispersion), np.array(level)), theirs)


@pytest.mark.parametrize("dispersion", [1.5, 3.0, 10.0])
def test_the_dispersion_of_the_world_is_found_and_one_bulk_order_does_not_move_it(dispersion: float) -> None:
    mean, came = counts(4_000, dispersion)
    step = DISPERSIONS[1] / DISPERSIONS[0]
    found = likeliest_dispersion(mean, came)
    assert dispersion / step <= found <= dispersion * step
    came[7] = 1e6  # by moments the dispersion would be millions
    assert likeliest_dispersion(mean, came) == pytest.approx(found, rel=step - 1)


def test_in_a_world_of_counts_the_head_loses_next_to_nothing_against_the_truth() -> None:
    mean, came = counts(40_000, 3.0)
    learn, test = slice(0, 20_000), slice(20_000, None)
    head = fit_head(mean[learn], came[learn], np.ones(20_000), LEVELS, covering=False)
    assert head is not None
    truth = quantiles_of(mean[test, None], np.array(3.0), np.array(LEVELS)[None, :])
    assert loss(came[test], head.quantiles(mean[test], np.ones(20_000))) < 1.01 * loss(came[test], truth)


def test_levels_are_kept_where_demand_is_no_negative_binomial_at_all() -> None:
    """Half of the days nothing, else a lognormal burst: the shape is wrong, the calibrated levels hold none the less."""
    generator = np.random.default_rng(6)
    mean = np.exp(generator.uniform(np.log(2.0), np.log(50.0), 40_000))
    came = np.rint(np.where(generator.random(40_000) < 0.5, 0.0, mean * 2 * generator.lognormal(-0.5, 1.0, 40_000)))
    head = fit_head(mean[:20_000], came[:20_000], np.ones(20_000), LEVELS, covering=True)
    assert head is not None
    said = head.quantiles(mean[20_000:], np.ones(20_000))
    for at, level in enumerate(LEVELS):
        if level > 0.5:
            assert float(np.mean(came[20_000:] <= said[:, at])) == pytest.approx(level, abs=0.01)


def test_of_totals_the_head_that_loses_less_out_of_sample_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Samples(*counts(900, 8.0), np.ones(900))  # so few that a curve beats quantiles that are free of each other
    assert isinstance(best_head(few), NegativeBinomialHead)
    monkeypatch.setattr(calibration, "COMPARED_SAMPLES_MAX", 870)  # some of them tell the same
    assert isinstance(best_head(few), NegativeBinomialHead)
    monkeypatch.setattr(calibration, "GAIN_NEEDED", 0.5)
    assert isinstance(best_head(few), HorizonCalibration)  # a near tie stays with pooled ratios


def test_a_stored_model_reads_back_its_heads_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "GAIN_NEEDED", -1.0)  # the counts speak, whatever they lose
    world, _ = retail(100, 240)
    trained = train(world, GradientBoosting(rounds=10))
    assert any(isinstance(one, NegativeBinomialHead) for one in trained.calibration.horizons)
    store = ArtefactStore(Directory(tmp_path))
    name = store.save(trained, window_from="a", window_to="b", items=100, seed=1)
    loaded, _ = store.load(name)
    np.testing.assert_array_equal(loaded.forecast(world, 239).quantiles, trained.forecast(world, 239).quantiles)


def test_each_class_of_demand_is_spoken_for_by_the_head_that_lost_least_there() -> None:
    generator = np.random.default_rng(4)
    levels = (0.1, 0.9)
    came = generator.poisson(20.0, (1_000, 28)).astype(np.float64)
    right = np.broadcast_to(np.quantile(came, levels), (1_000, 28, 2))
    off = np.array([0.0, 6.0])
    kinds = ["lumpy"] * 300 + ["smooth"] * 300 + ["erratic"] * 300 + ["young"] * 100
    said = {name: right * 1.0 for name in (POOLED, COUNTS, LEARNED)}  # noqa: C420  # three arrays, not one
    said[POOLED][:300] += off  # lumpy: only the quantile heads are right
    said[COUNTS][:300] += 2 * off
    said[POOLED][300:600] -= 5.0  # smooth: one below, one above, their average is right, and so is no single one
    said[COUNTS][300:600] -= 7.0
    said[LEARNED][300:600] += 5.0
    said[POOLED][600:900] -= 5.0  # erratic: one below, one above, and between them one that is nearly right
    said[COUNTS][600:900] += 0.5
    said[LEARNED][600:900] += 9.0
    chosen = best_heads(came, said, kinds, levels)
    assert (chosen["lumpy"], chosen["smooth"]) == (LEARNED, AVERAGE)
    assert chosen["erratic"] in (COUNTS, MEDIAN)  # the same numbers here
    assert chosen["young"] == chosen[EVERY_CLASS]  # too few days to tell
    out = spoken(chosen, kinds, said)
    np.testing.assert_allclose(out[:600], right[:600])
    np.testing.assert_allclose(out[600:900], said[COUNTS][600:900])
    tie = {name: right * factor for name, factor in ((POOLED, 1.0), (COUNTS, 0.999), (LEARNED, 1.001))}
    assert set(best_heads(came, tie, kinds, levels).values()) == {POOLED}
    assert set(best_heads(np.full_like(came, np.nan), said, kinds, levels).values()) == {POOLED}


def test_the_median_of_three_forgives_any_one_of_them_its_errors() -> None:
    generator = np.random.default_rng(9)
    came = generator.poisson(20.0, (600, 28)).astype(np.float64)
    right = np.broadcast_to(np.quantile(came, LEVELS), (600, 28, 5))
    said = {name: right * 1.0 for name in (POOLED, COUNTS, LEARNED)}  # noqa: C420  # three arrays, not one
    for at, name in enumerate(said):  # each is wildly wrong on a third of the days, never two on the same
        said[name][:, at::3] += (-1) ** at * 15.0
    chosen = best_heads(came, said, ["smooth"] * 600, LEVELS)
    assert chosen["smooth"] == MEDIAN
    np.testing.assert_allclose(spoken(chosen, ["smooth"] * 600, said), right)
