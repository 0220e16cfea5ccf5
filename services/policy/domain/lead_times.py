"""Lead times learned from receipts, the supplier's quoted value as prior: few receipts move it little, many decide.

What is learned from is how late an order came against its promise: the promise already holds the supplier's calendar, so
that waiting for a receipt day is not counted twice, and products of one supplier with different quotes teach each other.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import Any

from kernel.distribution import DAYS
from services.policy.domain.refusal import PolicyRefusal, require_not_negative

# The quoted lead time counts like so many receipts: after four own ones, quote and experience weigh the same.
PRIOR_RECEIPTS = 4.0
# Spread believed of a quote without one: a quarter of it, as suppliers' promises scatter in practice.
PRIOR_SPREAD_SHARE = 0.25
RECEIPTS_MAX = 50  # only the newest receipts: suppliers change
# Further from its promise a receipt does not belong to the order it names.
LATENESS_MAX_DAYS = 56
# An overdue order comes on each further day with this probability, as far as experience does not know better.
OVERDUE_DAILY = 0.5
OVERDUE_PRIOR_RECEIPTS = 1.0


@dataclass(frozen=True, slots=True)
class LeadTime:
    """Days: posterior mean and spread of one delivery, and how many receipts it rests on."""

    mean_days: float
    sd_days: float
    receipts: int


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How many days after its date each of the supplier's newest orders came to this location (negative: before it), oldest
    first. after_promise: against the date it was ordered for; after_confirmation: against the date that was confirmed,
    for orders that were."""

    after_promise: tuple[int, ...] = ()
    after_confirmation: tuple[int, ...] = ()

    def document(self) -> dict[str, list[int]]:
        """As JSON values."""
        return {"after_promise": list(self.after_promise), "after_confirmation": list(self.after_confirmation)}

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Deliveries":
        """The inverse of `document`. Raises KeyError when it is not one."""
        return Deliveries(tuple(document["after_promise"]), tuple(document["after_confirmation"]))

    def about(self, status: str) -> tuple[int, ...]:
        """What is known of orders in this status: a confirmed date is kept better than a hoped-for one."""
        return self.after_confirmation if status in ("confirmed", "shipped") else self.after_promise


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
    if quoted_days is not None:
        prior_sd = quoted_sd_days if quoted_sd_days is not None else PRIOR_SPREAD_SHARE * quoted_days
        return _posterior(quoted_days, prior_sd, seen)
    if not seen:
        return None
    mean_seen = sum(seen) / len(seen)
    squares = sum((one - mean_seen) ** 2 for one in seen)
    spread = sqrt(squares / (len(seen) - 1)) if len(seen) > 1 else PRIOR_SPREAD_SHARE * mean_seen
    return LeadTime(mean_seen, spread, len(seen))


@lru_cache(maxsize=4_096)
def lateness(days_late: tuple[int, ...], quoted_sd_days: float) -> LeadTime:
    """Posterior of a delivery's lateness: the promise (0 days late, the quoted spread) is the prior, as in `learned`.

    Raises PolicyRefusal: lead_time_negative.
    """
    require_not_negative("lead_time_negative", quoted_sd_days=quoted_sd_days)
    return _posterior(0.0, quoted_sd_days, list(days_late)[-RECEIPTS_MAX:])


def _posterior(prior_mean: float, prior_sd: float, seen: Sequence[float]) -> LeadTime:
    count = len(seen)
    mean_seen = sum(seen) / count if count else 0.0
    squares = sum((one - mean_seen) ** 2 for one in seen)
    whole = PRIOR_RECEIPTS + count
    mean = (PRIOR_RECEIPTS * prior_mean + count * mean_seen) / whole
    shift = PRIOR_RECEIPTS * count * (mean_seen - prior_mean) ** 2 / whole if count else 0.0
    return LeadTime(mean, sqrt((PRIOR_RECEIPTS * prior_sd**2 + squares + shift) / whole), count)


@lru_cache(maxsize=65_536)
def arrival_curve(days_late: tuple[int, ...], elapsed: int) -> tuple[float, ...]:
    """P(an order that has not come by the close of the planning date comes by the opening of day k after it), k = 0..56.

    elapsed: days since its date, negative before it. The share of deliveries that came so late or earlier among those that
    came later than `elapsed`; before its date `PRIOR_RECEIPTS` punctual deliveries are counted with them, when it is
    overdue `OVERDUE_PRIOR_RECEIPTS` that come with `OVERDUE_DAILY` on each further day.
    Source: Beta-binomial shares as in Gelman et al., section 2.4, of the conditional distribution.
    """
    later = sorted(one for one in days_late[-RECEIPTS_MAX:] if one > elapsed)
    is_due = elapsed >= 0
    weight = OVERDUE_PRIOR_RECEIPTS if is_due else PRIOR_RECEIPTS
    curve = []
    for day in range(DAYS + 1):
        expected = 1.0 - OVERDUE_DAILY**day if is_due else float(elapsed + day >= 0)
        curve.append((bisect_right(later, elapsed + day) + weight * expected) / (len(later) + weight))
    return tuple(curve)
