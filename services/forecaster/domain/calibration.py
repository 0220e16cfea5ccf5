"""From expected demand to a distribution that keeps its promises: pooled, level-binned conformal calibration.

At earlier origins we compare what was expected with what came, for all items together. Items are binned by how much
was expected (a slow seller errs differently from a fast one) and, inside, by how lumpy their demand is. The quantiles
of realised / expected in a bin are, by construction, what covered the stated share of the past. Cumulative demand is
calibrated as such, at every node horizon: daily quantiles do not add up, and are never added.

Beside the pooled ratios stands a negative binomial whose levels are calibrated in the same way (`negative_binomial`); which of
the two speaks of a horizon is decided by their losses on the half of the samples that neither was made of.

Source: split conformal prediction with Mondrian bins (Vovk, Gammerman & Shafer, ch. 4), pooled over series.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kernel.distribution import HORIZONS_DAYS, LEVELS
from services.forecaster.domain.closures import were_shut
from services.forecaster.domain.metrics import weighted_quantile_loss
from services.forecaster.domain.negative_binomial import NegativeBinomialHead, fit_head, quantiles_of
from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, IntArray
from services.forecaster.domain.series import expected_of
from services.forecaster.domain.shocks import common_shock, unseen
from services.forecaster.domain.strategy import DistributionForecast, Expected, MeanForecaster

LEVEL_BINS = 16
LUMP_BINS = 3
# Of a bin. With half of it, quantiles of totals cost 1 to 5 % more loss and cover up to a point more than they say, on
# Online Retail series and origins outside the published keys; twice of it gained nothing.
SAMPLES_PER_BIN = 800
SAMPLES_PER_CELL_MIN = 60  # below this a cell's middle quantiles are noise; the bin answers instead
TAIL_SAMPLES = 8  # a cell speaks about a tail level only where at least this many of its samples lie beyond it
SAMPLES_MIN = 400  # below this nothing is pooled and the parametric fallback answers
EXPECTED_FLOOR_UNITS = 1e-3
CORRECTION_MAX = 1.25
CORRECTION_SHARE = 2 / 3
GAIN_NEEDED = 0.05  # of another head beside pooled ratios: halves of the samples are hard on these, and less is chance
COMPARED_LEVELS = (0.1, 0.5, 0.9, 0.95, 0.99)
COMPARED_SAMPLES_MAX = 40_000  # more do not tell two heads apart any better
DISPERSION_FALLBACK = 2.0  # variance over mean of daily retail demand where nothing has been measured yet


@dataclass(frozen=True, slots=True)
class Samples:
    """Of one horizon: what was expected and what came, in units, and how burst-like the item's demand comes; `shock`: how
    much of what weeks do to all items alike the samples do not show, in log units (`shocks.unseen`)."""

    expected: FloatArray
    realised: FloatArray
    lumpiness: FloatArray
    shock: float = 0.0

    def take(self, rows: BoolArray | IntArray) -> "Samples":
        """Some of them."""
        return replace(self, expected=self.expected[rows], realised=self.realised[rows], lumpiness=self.lumpiness[rows])

    def shaken(self) -> "Samples":
        """Each twice, in a week that is better and in one that is worse for everybody than it was."""
        if not self.shock:
            return self
        up = np.exp(self.shock)
        expected = np.concatenate([self.expected * up, self.expected / up])
        return Samples(expected, np.tile(self.realised, 2), np.tile(self.lumpiness, 2))


@dataclass(frozen=True, slots=True)
class HorizonCalibration:
    """Of one horizon: bin centres in log units, lumpiness edges per bin, and ratio quantiles (bins, lumps, levels)."""

    centres: FloatArray
    lump_edges: FloatArray
    ratios: FloatArray

    def quantiles(self, expected: FloatArray, lumpiness: FloatArray) -> FloatArray:
        """(items, levels) in units: ratios interpolated between the two nearest bins, times the expectation."""
        floor = np.maximum(expected, EXPECTED_FLOOR_UNITS)
        place = np.interp(np.log(floor), self.centres, np.arange(len(self.centres), dtype=np.float64))
        low = np.minimum(place.astype(np.int64), max(0, len(self.centres) - 2))
        high = np.minimum(low + 1, len(self.centres) - 1)
        share = (place - low)[:, None]
        ratio = self._ratio(low, lumpiness) * (1 - share) + self._ratio(high, lumpiness) * share
        # Beyond the last bin the ratio stays; below the first, where only "any sale at all" matters, units stay.
        anchor = np.maximum(floor, np.exp(self.centres[0]))
        return np.maximum.accumulate(ratio * anchor[:, None], axis=1)

    def _ratio(self, bins: "np.ndarray[tuple[int], np.dtype[np.int64]]", lumpiness: FloatArray) -> FloatArray:
        lump = (lumpiness[:, None] > self.lump_edges[bins]).sum(axis=1)
        return np.asarray(self.ratios[bins, lump], dtype=np.float64)


Head = HorizonCalibration | NegativeBinomialHead
HeadFit = Callable[[Samples, tuple[float, ...]], Head | None]


def best_head(samples: Samples, levels: tuple[float, ...] = LEVELS) -> Head | None:
    """Pooled ratios, or the negative binomial where it loses less on samples it was not made of; None with too few samples.

    Of models that are trained: simple methods may expect next to nothing where something is sold, which no count forgives.
    """
    pooled = fit_horizon(samples, levels)
    if pooled is None:
        return None
    some = _evenly(samples, COMPARED_SAMPLES_MAX)
    told = out_of_sample(some, fit_horizon, COMPARED_LEVELS), out_of_sample(some, counted, COMPARED_LEVELS)
    if any(one is None for one in told) or not some.realised.sum() > 0:
        return pooled
    ratios, counts = (_loss(some.realised, one) for one in told if one is not None)
    return counted(samples, levels) if counts < ratios * (1 - GAIN_NEEDED) else pooled


def counted(samples: Samples, levels: tuple[float, ...] = LEVELS) -> NegativeBinomialHead | None:
    """The negative-binomial head of these samples of totals."""
    some = samples.shaken()
    return fit_head(some.expected, some.realised, some.lumpiness, levels, covering=True)


def out_of_sample(samples: Samples, fit: HeadFit, levels: tuple[float, ...] = LEVELS) -> FloatArray | None:
    """Quantiles (samples, levels) of each sample from what `fit` makes of the other half; None where it cannot."""
    even = np.asarray(np.arange(len(samples.expected)) % 2 == 0)
    out = np.empty((len(samples.expected), len(levels)))
    for learn in (even, ~even):
        fitted = fit(samples.take(learn), levels)
        if fitted is None:
            return None
        out[~learn] = fitted.quantiles(samples.expected[~learn], samples.lumpiness[~learn])
    return out


def _evenly(samples: Samples, most: int) -> Samples:
    if len(samples.expected) <= most:
        return samples
    rows = np.linspace(0, len(samples.expected) - 1, most).astype(np.int64)
    return samples.take(rows)


def _loss(realised: FloatArray, quantiles: FloatArray) -> float:
    losses = [weighted_quantile_loss(realised, quantiles[:, at], level) for at, level in enumerate(COMPARED_LEVELS)]
    return float(np.mean(losses))


def fit_horizon(samples: Samples, levels: tuple[float, ...] = LEVELS) -> HorizonCalibration | None:
    """Bin and take quantiles; None where there are too few samples to say anything."""
    count = len(samples.expected)
    if count < SAMPLES_MIN:
        return None
    samples = samples.shaken()
    expected = np.maximum(samples.expected, EXPECTED_FLOOR_UNITS)
    log_expected = np.log(expected)
    bins = max(2, min(LEVEL_BINS, count // SAMPLES_PER_BIN))
    edges = np.unique(np.quantile(log_expected, np.linspace(0, 1, bins + 1)[1:-1]))
    member = np.searchsorted(edges, log_expected, side="right")
    # Below the middle of the first bin units stay (`quantiles`), so there the ratio is to that middle: a method that expects
    # a thousandth of a unit where one was sold has no ratio of a thousand to teach the others of its bin.
    anchor = np.maximum(expected, np.exp(np.mean(log_expected[member == member.min()])))
    ratio = samples.realised / anchor
    everyone = _tail_quantiles(ratio, levels, None)
    centres, lump_edges, ratios = [], [], []
    for index in range(len(edges) + 1):
        inside = member == index
        if not inside.any():
            continue
        pooled = _tail_quantiles(ratio[inside], levels, everyone)
        cuts = np.quantile(samples.lumpiness[inside], np.linspace(0, 1, LUMP_BINS + 1)[1:-1])
        lump = (samples.lumpiness[inside][:, None] > cuts).sum(axis=1)
        cells = [ratio[inside][lump == part] for part in range(LUMP_BINS)]
        ratios.append([_tail_quantiles(c, levels, pooled) if len(c) >= SAMPLES_PER_CELL_MIN else pooled for c in cells])
        centres.append(float(np.mean(log_expected[inside])))
        lump_edges.append(cuts)
    return HorizonCalibration(np.array(centres), np.array(lump_edges), np.array(ratios))


def _tail_quantiles(ratio: FloatArray, levels: tuple[float, ...], wider: FloatArray | None) -> FloatArray:
    """Conformal quantiles: between the order statistics around the (n+1) q-th, so that a new value lies below with
    probability q and not, as with the next larger one, up to 1/n above it. A tail too thin to read is continued in the
    shape of the wider pool's tail from the last level that could be read."""
    ordered = np.sort(ratio)
    count = len(ordered)
    rank = np.clip((count + 1) * np.asarray(levels) - 1, 0, count - 1)
    below = np.floor(rank).astype(np.int64)
    above = np.minimum(below + 1, count - 1)
    out: FloatArray = ordered[below] + (ordered[above] - ordered[below]) * (rank - below)
    if wider is None:
        return out
    for position, level in enumerate(levels):
        if level > 0.5 and (1 - level) * count < TAIL_SAMPLES and wider[position - 1] > 0:
            out[position] = max(out[position - 1] * wider[position] / wider[position - 1], out[position - 1])
    return out


def calibration_origins(days: int, step_days: int = 7, reach_days: int = HORIZONS_DAYS[-1]) -> list[int]:
    """Origins inside the last `reach_days`: the oldest sees every horizon realised, later ones the shorter ones."""
    oldest = days - 1 - reach_days
    return [origin for origin in range(oldest, days - 1, step_days) if origin >= 0]


@dataclass(frozen=True, slots=True)
class Errors:
    """What a forecaster got wrong at earlier origins: of demand cumulated to each horizon, and of single periods."""

    cumulative: list[Samples]
    single: Samples


def collect(panel: DemandPanel, forecaster: MeanForecaster, origins: list[int]) -> list[Samples]:
    """What `forecaster` expected at earlier origins against what came, per node horizon.

    Windows with an unknown (censored) day are left out: their realised demand is not known. A day on which a whole location
    was shut is left out of the window instead, of what was expected and of what came: over eight weeks with a few bank
    holidays hardly a window of 28 days would be left.
    """
    return errors(panel, forecaster, origins, HORIZONS_DAYS, with_single=False).cumulative


def errors(
    panel: DemandPanel,
    forecaster: MeanForecaster,
    origins: list[int],
    horizons: tuple[int, ...],
    *,
    with_single: bool = True,
) -> Errors:
    """As `collect`, for any horizons, with the errors of single periods beside those of totals where they are wanted."""
    parts: list[list[tuple[FloatArray, FloatArray, FloatArray]]] = [[] for _ in horizons]
    weeks: list[tuple[FloatArray, FloatArray]] = []
    week = panel.span(7)
    single: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for origin in origins:
        ahead = min(max(horizons), panel.days - 1 - origin)
        expected = expected_of(forecaster, panel.until(origin), origin, ahead)
        came = panel.demand[:, origin + 1 : origin + 1 + ahead]
        shut = were_shut(panel, origin + 1, origin + ahead)
        left = (expected.by_day, came)
        if shut.any():
            left = (np.where(shut, 0.0, expected.by_day), np.where(shut, 0.0, came))
        totals, realised = np.cumsum(left[0], axis=1), np.cumsum(left[1], axis=1)
        # Of a dead item nothing is expected, so there is no ratio of what came to it.
        alive = np.asarray(~np.isnan(panel.demand[:, : origin + 1]).all(axis=1) & (expected.by_day > 0).any(axis=1))
        for node, horizon in enumerate(horizons):
            if horizon <= ahead:
                known = alive & ~np.isnan(realised[:, horizon - 1])
                actual = np.maximum(realised[known, horizon - 1], 0.0)
                parts[node].append((totals[known, horizon - 1], actual, expected.unrest(totals, horizon)[known]))
        if week <= ahead:
            known = alive & ~np.isnan(realised[:, week - 1])
            weeks.append((totals[known, week - 1], np.maximum(realised[known, week - 1], 0.0)))
        if not with_single:
            continue
        seen = np.asarray(alive[:, None] & ~np.isnan(came))
        lumps = np.broadcast_to(expected.lumpiness[:, None], came.shape)
        single.append((expected.by_day[seen], np.maximum(came[seen], 0.0), lumps[seen]))
    shock, reach = common_shock(weeks), panel.days - 1 - min(origins, default=0)
    cumulative = [
        replace(_joined(part), shock=unseen(shock, horizon, reach))
        for part, horizon in zip(parts, horizons, strict=True)
    ]
    return Errors(cumulative, _joined(single))


def level_correction(samples: Samples) -> float:
    """What means are multiplied by: two thirds of the bias of totals on days the model had not seen, in log terms.

    Not all of it, because the bias of the last weeks is partly those weeks' own weather; bounded, because a broken month must
    not double a forecast. Quantiles do not need it: their ratios to the expectation contain the bias already.
    """
    expected, realised = float(samples.expected.sum()), float(samples.realised.sum())
    if len(samples.expected) < SAMPLES_MIN or expected <= 0 or realised <= 0:
        return 1.0
    ratio = min(max(realised / expected, 1 / CORRECTION_MAX), CORRECTION_MAX)
    return float(ratio**CORRECTION_SHARE)


def _joined(parts: list[tuple[FloatArray, FloatArray, FloatArray]]) -> Samples:
    if not parts:
        return Samples(np.zeros(0), np.zeros(0), np.zeros(0))
    expected, realised, lumpiness = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Samples(expected, realised, lumpiness)


@dataclass(frozen=True, slots=True)
class Calibration:
    """One per node horizon; where a horizon has too few samples, the nearest shorter one that has speaks for it."""

    horizons: tuple[Head | None, ...]
    correction: float = 1.0  # of the means; see `level_correction`
    # Whether items are told apart by `Expected.unrest`; models stored before it was thought of knew only how lumpy they are.
    heeds_falls: bool = True

    @staticmethod
    def fit(samples: list[Samples], head: HeadFit | None = None) -> "Calibration":
        """With pooled ratios, or with what `head` makes of the samples of a horizon."""
        fit = head or fit_horizon
        month = samples[HORIZONS_DAYS.index(28)]
        return Calibration(tuple(fit(one, LEVELS) for one in samples), level_correction(month))

    @property
    def is_measured(self) -> bool:
        return any(one is not None for one in self.horizons)

    def distribution(self, expected: Expected) -> DistributionForecast:
        """Quantiles of cumulative demand, non-decreasing along levels and horizons."""
        totals = np.cumsum(expected.by_day, axis=1)
        nodes = expected.cumulative()
        quantiles = np.empty((*nodes.shape, len(LEVELS)))
        nearest: Head | None = None
        for node in range(nodes.shape[1]):
            nearest = self.horizons[node] or nearest
            if nearest is None:
                quantiles[:, node] = negative_binomial_quantiles(nodes[:, node], expected.lumpiness)
            else:
                apart = expected.unrest(totals, HORIZONS_DAYS[node]) if self.heeds_falls else expected.lumpiness
                quantiles[:, node] = nearest.quantiles(nodes[:, node], apart)
        quantiles = np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=2)
        if expected.shut is not None:
            open_days = np.cumsum(~expected.shut, axis=1)
            quantiles[open_days[:, [days - 1 for days in HORIZONS_DAYS[: nodes.shape[1]]]] == 0] = 0.0
        means = expected.by_day * self.correction
        return DistributionForecast(means, np.maximum.accumulate(quantiles, axis=1))


def negative_binomial_quantiles(
    mean: FloatArray, lumpiness: FloatArray, levels: tuple[float, ...] = LEVELS
) -> FloatArray:
    """(items, levels) in units, for when nothing has been measured: variance = dispersion x lumpiness x mean."""
    safe = np.maximum(mean, EXPECTED_FLOOR_UNITS)
    dispersion = DISPERSION_FALLBACK * np.maximum(lumpiness, 1.0)
    return quantiles_of(safe[:, None], dispersion[:, None], np.asarray(levels)[None, :])
