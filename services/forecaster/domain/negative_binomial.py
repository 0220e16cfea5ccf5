"""The negative-binomial head: counts around an expected demand, with a dispersion that is learned and levels that are kept.

Dispersion (variance over mean) is the likeliest of a grid, by level and lumpiness, of demand whose largest hundredth is cut
down to the rest: moments explode on one bulk order. What is learned is then brought to its promises by the same pooled,
level-binned conformal step as everything else: the level read from the distribution is the one that covered in the past.

Sources: Cameron & Trivedi, Regression Analysis of Count Data, ch. 3 (NB1: variance proportional to the mean); the probability
integral transform of counts, Czado, Gneiting & Held 2009, Biometrics 65.
"""

from dataclasses import dataclass

import numpy as np

from services.forecaster.domain.panel import FloatArray, IntArray

DISPERSIONS = np.geomspace(1.05, 60.0, 14)  # the last one is the cap
WINSORISED_AT = 0.99
LEVEL_BINS = 12
LUMP_BINS = 3
SAMPLES_MIN = 400
SAMPLES_PER_BIN = 800
SAMPLES_PER_CELL_MIN = 120  # below this the bin answers for its cells
# More rows of a cell do not move a dispersion on this grid, nor a level by a thousandth.
LIKELIHOOD_ROWS_MAX = 2_000
LEVEL_ROWS_MAX = 20_000
GRID = 128  # expectations the quantiles are worked out for; between them they are read on a line
EXPECTED_FLOOR_UNITS = 1e-3
LEVEL_MAX = 1.0 - 1e-9
PARTS = 5  # points a whole number is spread over


@dataclass(frozen=True, slots=True)
class Learned:
    """By level of what is expected (`centres`, logarithms of units, from `reach[0]` to `reach[1]`) and by lumpiness
    (`edges`, units): `dispersions` (bins, lumps) and the levels to read for those that are asked for (bins, lumps, levels)."""

    centres: FloatArray
    reach: FloatArray
    edges: FloatArray
    dispersions: FloatArray
    levels: FloatArray


@dataclass(frozen=True, slots=True)
class NegativeBinomialHead:
    """What was learned, and its quantiles (lumps, grid, levels), in units."""

    learned: Learned
    table: FloatArray

    def quantiles(self, expected: FloatArray, lumpiness: FloatArray) -> FloatArray:
        """(rows, levels) in units."""
        low, high = self.learned.reach.tolist()
        place = np.log(np.maximum(expected, EXPECTED_FLOOR_UNITS))
        at = np.clip((place - low) / (high - low), 0.0, 1.0) * (GRID - 1)
        before = np.minimum(at.astype(np.int64), GRID - 2)
        share = (at - before)[:, None]
        lump = np.searchsorted(self.learned.edges, lumpiness)
        found = self.table[lump, before] * (1 - share) + self.table[lump, before + 1] * share
        # Beyond the last expectation that was ever seen, the shape of its quantiles stays.
        return np.asarray(found * np.exp(np.maximum(place - high, 0.0))[:, None], dtype=np.float64)


def quantiles_of(mean: FloatArray, dispersion: FloatArray, levels: FloatArray) -> FloatArray:
    """The smallest whole number whose probability is at least the level, elementwise; variance = dispersion x mean."""
    from scipy.special import nbdtrik  # late: a fifth of what a forecaster took to start

    success = 1.0 / dispersion
    found = nbdtrik(np.minimum(levels, LEVEL_MAX), mean * success / (1.0 - success), success)
    # Not a number where the level lies below the probability of zero: the quantile is zero there.
    return np.asarray(np.ceil(np.nan_to_num(np.maximum(found, 0.0)) - 1e-9), dtype=np.float64)


def likeliest_dispersion(mean: FloatArray, realised: FloatArray) -> float:
    """Of DISPERSIONS, by the likelihood of what came where `mean` was expected."""
    from scipy.special import gammaln

    held = np.minimum(realised, mean * np.quantile(realised / mean, WINSORISED_AT))
    success = (1.0 / DISPERSIONS)[:, None]
    size = mean[None, :] * success / (1.0 - success)
    likelihood = gammaln(held + size) - gammaln(size) + size * np.log(success) + held * np.log1p(-success)
    return float(DISPERSIONS[int(np.argmax(likelihood.sum(axis=1)))])


def fit_head(
    expected: FloatArray, realised: FloatArray, lumpiness: FloatArray, levels: tuple[float, ...], *, covering: bool
) -> NegativeBinomialHead | None:
    """From what was expected of single periods, or of totals of one length, and what came; None with too few rows.

    `covering`: a level is the share that its quantile covers (totals: what a service level promises). Otherwise it is a
    probability, and its quantile the smallest whole number that reaches it: it covers more, and costs the least loss.
    """
    count = len(expected)
    if count < SAMPLES_MIN:
        return None
    mean = np.maximum(expected, EXPECTED_FLOOR_UNITS)
    place = np.log(mean)
    edges = np.unique(np.quantile(lumpiness, np.linspace(0, 1, LUMP_BINS + 1)[1:-1]))
    bins = max(2, min(LEVEL_BINS, count // SAMPLES_PER_BIN))
    cuts = np.unique(np.quantile(place, np.linspace(0, 1, bins + 1)[1:-1]))
    member, lump = np.searchsorted(cuts, place, side="right"), np.searchsorted(edges, lumpiness)
    centres, dispersions, read = [], [], []
    for one in np.unique(member).tolist():
        whole = np.flatnonzero(member == one)
        cells = [whole[lump[whole] == part] for part in range(len(edges) + 1)]
        found = [
            _cell(mean, realised, cell if len(cell) >= SAMPLES_PER_CELL_MIN else whole, levels, covering)
            for cell in cells
        ]
        centres.append(place[whole].mean())
        dispersions.append([dispersion for dispersion, _ in found])
        read.append([told for _, told in found])
    reach = np.array([place.min(), max(place.max(), place.min() + 1.0)])
    return head_of(Learned(np.array(centres), reach, edges, np.array(dispersions), np.array(read)))


def head_of(learned: Learned) -> NegativeBinomialHead:
    """The quantiles of what was learned, over its reach."""
    low, high = learned.reach.tolist()
    grid = np.linspace(low, high, GRID)
    table = []
    for lump in range(learned.dispersions.shape[1]):
        dispersion = np.interp(grid, learned.centres, learned.dispersions[:, lump])
        read = [np.interp(grid, learned.centres, one) for one in learned.levels[:, lump].T]
        found = quantiles_of(np.exp(grid)[:, None], dispersion[:, None], np.column_stack(read))
        table.append(np.maximum.accumulate(found, axis=1))
    return NegativeBinomialHead(learned, np.stack(table))


def _cell(
    mean: FloatArray, realised: FloatArray, rows: IntArray, levels: tuple[float, ...], covering: bool
) -> tuple[float, FloatArray]:
    """Dispersion and the levels to read, of some rows."""
    few, more = _thinned(rows, LIKELIHOOD_ROWS_MAX), _thinned(rows, LEVEL_ROWS_MAX)
    dispersion = likeliest_dispersion(mean[few], realised[few])
    return dispersion, _levels_that_covered(mean[more], realised[more], dispersion, levels, covering)


def _thinned(rows: IntArray, most: int) -> IntArray:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _levels_that_covered(
    mean: FloatArray, realised: FloatArray, dispersion: float, levels: tuple[float, ...], covering: bool
) -> FloatArray:
    """For each level the one to read from the distribution.

    A whole number y stands for the stretch from F(y - 1) to F(y) of the probabilities. It lies at or below the quantile at u
    exactly if F(y - 1) < u: the order statistics of these lower ends are what covered. Spread evenly over PARTS points, the
    stretches of a distribution that was right are uniform, and every level is then its own.
    """
    from scipy.special import betainc

    success = 1.0 / dispersion
    size = mean * success / (1.0 - success)
    ends = np.where(realised > 0, betainc(size, np.maximum(realised, 1e-9), success), 0.0)[:, None]
    if not covering:
        inside = (np.arange(PARTS) + 0.5) / PARTS
        ends = ends + (betainc(size, realised + 1.0, success)[:, None] - ends) * inside
    ordered = np.sort(ends.ravel())
    rank = np.ceil((len(ordered) + ends.shape[1]) * np.asarray(levels)).astype(np.int64) - 1
    return np.asarray(np.nextafter(ordered[np.clip(rank, 0, len(ordered) - 1)], 1.0), dtype=np.float64)
