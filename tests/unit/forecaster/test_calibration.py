"""Calibrated quantiles against the true ones of a world whose distribution is known."""

import numpy as np
from scipy.stats import gamma, poisson

from kernel.distribution import HORIZONS_DAYS, LEVELS
from services.forecaster.domain.calibration import Samples, fit_horizon
from services.forecaster.domain.metrics import coverage, weighted_quantile_loss
from services.forecaster.model.choice import compare
from services.forecaster.model.pipeline import baseline
from services.forecaster.model.strategies import SIMPLE
from tests.unit.forecaster.worlds import panel

WORLDS = 4
LEARNED, ASKED = 6_000, 40_000  # a thousand series at six origins, as a small tenant has


def drawn(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gamma demand whose spread depends on its level and lumpiness: expected, realised, lumpiness and true shape."""
    expected = np.exp(generator.uniform(np.log(0.5), np.log(100.0), count))
    lumpiness = generator.gamma(2.0, 1.0, count) + 1.0
    shape = expected / (2.0 * lumpiness)
    return expected, generator.gamma(shape, expected / shape), lumpiness, shape


def test_pooled_quantiles_lose_little_against_the_true_ones_and_cover_what_they_say() -> None:
    """Bins half as large (400 samples) lose 37 % against the truth at 99 %, twice as large (1,600) 18 %."""
    lost: dict[float, list[float]] = {0.9: [], 0.95: [], 0.99: []}
    covered: dict[float, list[float]] = {0.9: [], 0.95: [], 0.99: []}
    for seed in range(WORLDS):
        generator = np.random.default_rng(seed)
        expected, realised, lumpiness, _ = drawn(generator, LEARNED)
        fitted = fit_horizon(Samples(expected, realised, lumpiness))
        assert fitted is not None
        expected, realised, lumpiness, shape = drawn(generator, ASKED)
        said = fitted.quantiles(expected, lumpiness)
        for level, ratios in lost.items():
            mine = said[:, LEVELS.index(level)]
            truth = gamma.ppf(level, shape, scale=expected / shape)
            best = weighted_quantile_loss(realised, truth, level)
            ratios.append(weighted_quantile_loss(realised, mine, level) / best)
            covered[level].append(coverage(realised, mine))
    assert np.mean(lost[0.9]) < 1.02 and np.mean(lost[0.95]) < 1.035 and np.mean(lost[0.99]) < 1.12
    for level, shares in covered.items():
        assert abs(np.mean(shares) - level) < 0.008


def test_a_method_that_expects_next_to_nothing_of_a_slow_seller_does_not_frighten_the_others() -> None:
    """TSB and Theta expect a ten-thousandth of a unit where one was sold: read as a ratio, that made the 99 % quantile of
    items which sell five a day twelve thousand units a month. Source of the truth: Poisson demand of known rates."""
    generator = np.random.default_rng(1)
    rates = np.exp(generator.uniform(np.log(0.01), np.log(5), 400))
    world = panel(generator.poisson(rates[:, None], (400, 330)).astype(np.float64))
    node, came = HORIZONS_DAYS.index(28), world.demand[:, 302:330].sum(axis=1)
    highest = poisson.ppf(0.99, 28 * rates.max())
    for name in ("tsb", "theta"):
        said = baseline(world, 301, SIMPLE[name]).forecast(world, 301).quantiles[:, node]
        above = said[:, LEVELS.index(0.99)]
        assert above.max() < 2 * highest, name
        assert 0.86 < coverage(came, said[:, LEVELS.index(0.9)]) < 0.96 and coverage(came, above) > 0.98
    # The choice reads the same calibration: no simple method is a hundred times worse than another.
    scores = compare(world, {name: SIMPLE[name] for name in ("tsb", "theta", "moving_average", "adida")})
    assert all(score < 0.4 for told in scores.values() for score in told.values())
