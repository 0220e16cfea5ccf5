"""Lead times learned from receipts, the supplier's quoted value as prior: few receipts move it little, many decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from services.policy.domain.refusal import PolicyRefusal, require_not_negative

# The quoted lead time counts like so many receipts: after four own ones, quote and experience weigh the same.
PRIOR_RECEIPTS = 4.0
# Spread believed of a quote without one: a quarter of it, as suppliers' promises scatter in practice.
PRIOR_SPREAD_SHARE = 0.25
RECEIPTS_MAX = 50  # only the newest receipts: suppliers change


@dataclass(frozen=True, slots=True)
class LeadTime:
    """Days: posterior mean and spread of one delivery, and how many receipts it rests on."""

    mean_days: float
    sd_days: float
    receipts: int


def learned(
    quoted_days: float | None, observed_days: Sequence[float], *, quoted_sd_days: float | None = None
) -> LeadTime | None:
    """Posterior of a normal lead time with a normal-inverse-gamma prior at the quoted value; observed oldest first.

    mean = (k q + n x) / (k + n); variance = (k s0^2 + sum (x - mean_x)^2 + k n (mean_x - q)^2 / (k + n)) / (k + n).
    None when nothing is quoted and nothing was received. Raises PolicyRefusal: lead_time_negative.
    Source: Gelman et al., Bayesian Data Analysis, section 3.3.
    """
    if quoted_days is not None:
        require_not_negative("lead_time_negative", quoted_days=quoted_days, quoted_sd_days=quoted_sd_days or 0.0)
    for one in observed_days:
        if not 0 <= one < float("inf"):
            raise PolicyRefusal("lead_time_negative", f"a receipt after {one} days: order and receipt must be mixed up")
    seen = list(observed_days)[-RECEIPTS_MAX:]
    count = len(seen)
    if quoted_days is None and not count:
        return None
    mean_seen = sum(seen) / count if count else 0.0
    squares = sum((one - mean_seen) ** 2 for one in seen)
    if quoted_days is None:
        spread = sqrt(squares / (count - 1)) if count > 1 else PRIOR_SPREAD_SHARE * mean_seen
        return LeadTime(mean_seen, spread, count)
    prior_sd = quoted_sd_days if quoted_sd_days is not None else PRIOR_SPREAD_SHARE * quoted_days
    whole = PRIOR_RECEIPTS + count
    mean = (PRIOR_RECEIPTS * quoted_days + count * mean_seen) / whole
    shift = PRIOR_RECEIPTS * count * (mean_seen - quoted_days) ** 2 / whole if count else 0.0
    return LeadTime(mean, sqrt((PRIOR_RECEIPTS * prior_sd**2 + squares + shift) / whole), count)
