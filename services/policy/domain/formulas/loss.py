"""Loss functions: expected units short of (or left over at) a stock level, by demand distribution."""

from math import ceil, exp, pi, sqrt

from scipy import stats

from services.policy.domain.refusal import PolicyRefusal, require_positive


def standard_normal_loss(z: float) -> tuple[float, float]:
    """(E[(Z-z)+], E[(z-Z)+]) for a standard normal Z; both dimensionless.

    Source: Snyder & Shen, eq. C.22-C.23.
    >>> round(standard_normal_loss(0.3)[0], 12)
    0.266761242117
    """
    density = exp(-z * z / 2.0) / sqrt(2.0 * pi)
    shortage = density - z * float(stats.norm.sf(z))
    return shortage, z + shortage


def normal_loss(level_units: float, mean_units: float, sd_units: float) -> tuple[float, float]:
    """(expected shortage, expected left-over) in units when demand is normal.

    Raises PolicyRefusal: demand_degenerate. Source: Snyder & Shen, eq. C.31-C.32.
    """
    require_positive("demand_degenerate", sd_units=sd_units)
    shortage, left_over = standard_normal_loss((level_units - mean_units) / sd_units)
    return sd_units * shortage, sd_units * left_over


def normal_second_order_loss(level_units: float, mean_units: float, sd_units: float) -> float:
    """Half of E[((D-level)+)^2], units squared: the integral of the normal loss function above `level_units`.

    Raises PolicyRefusal: demand_degenerate. Source: Snyder & Shen, eq. C.19 and C.35.
    """
    require_positive("demand_degenerate", sd_units=sd_units)
    z = (level_units - mean_units) / sd_units
    density = exp(-z * z / 2.0) / sqrt(2.0 * pi)
    return sd_units * sd_units * ((z * z + 1.0) * float(stats.norm.sf(z)) - z * density) / 2.0


def poisson_loss(level_units: float, mean_units: float) -> tuple[float, float]:
    """(expected shortage, expected left-over) in units when demand is Poisson and the level is a whole number.

    Raises PolicyRefusal: demand_degenerate, level_not_whole. Source: Snyder & Shen, eq. C.41-C.42.
    >>> round(poisson_loss(5, 7)[0], 12)
    2.292600125697
    """
    require_positive("demand_degenerate", mean_units=mean_units)
    level = _whole(level_units)
    at_or_above = float(stats.poisson.sf(level - 1, mean_units))
    shortage = mean_units * float(stats.poisson.sf(level - 2, mean_units)) - level * at_or_above
    return shortage, level - mean_units + shortage


def negative_binomial_loss(level_units: float, mean_units: float, sd_units: float) -> tuple[float, float]:
    """(expected shortage, expected left-over) in units for negative-binomial demand given by mean and spread.

    Raises PolicyRefusal: demand_degenerate, demand_underdispersed (variance must exceed the mean), level_not_whole.
    Source: Zipkin, Foundations of Inventory Management, C.2.3.6.
    """
    require_positive("demand_degenerate", mean_units=mean_units, sd_units=sd_units)
    variance = sd_units * sd_units
    if not variance > mean_units:
        raise PolicyRefusal("demand_underdispersed", f"variance {variance} does not exceed the mean {mean_units}")
    level = _whole(level_units)
    shape = mean_units * mean_units / (variance - mean_units)
    probability = mean_units / variance
    odds = (1.0 - probability) / probability
    above = float(stats.nbinom.sf(level, shape, probability))
    mass = float(stats.nbinom.pmf(level, shape, probability)) if level >= 0 else 0.0
    shortage = (shape * odds - level) * above + (level + shape) * odds * mass
    if level < 0:
        shortage = mean_units - level
    return shortage, level - mean_units + shortage


def discrete_loss(level_units: float, masses: dict[int, float]) -> tuple[float, float]:
    """(expected shortage, expected left-over) in units for demand given as probability by whole quantity.

    Raises PolicyRefusal: demand_degenerate when the probabilities do not sum to one.
    """
    total = sum(masses.values())
    if not abs(total - 1.0) < 1e-9:
        raise PolicyRefusal("demand_degenerate", f"probabilities sum to {total}, not to 1")
    shortage = sum(max(demand - level_units, 0.0) * mass for demand, mass in masses.items())
    left_over = sum(max(level_units - demand, 0.0) * mass for demand, mass in masses.items())
    return shortage, left_over


def _whole(level_units: float) -> int:
    if not (abs(level_units) < float("inf") and ceil(level_units) == level_units):
        raise PolicyRefusal("level_not_whole", f"level {level_units} must be a whole number of units")
    return int(level_units)
