"""Whether a freshly trained model may speak: rules that a planner can read, and a person where they do not suffice.

Both models are measured on the same days, which neither of them was fitted on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

# A model as good as the champion is worth having: it knows more recent days. Two per cent is what repeated trainings
# on resampled items differ by.
LOSS_TOLERANCE = 0.02
BIAS_MAX = 0.15
COVERAGE_LEVEL = 0.95
COVERAGE_MIN = 0.90
HORIZONS_DAYS = (7, 14, 28)


class Outcome(Enum):
    """What happens to the new model."""

    PROMOTE = "promoted"
    ASK = "waiting"
    KEEP = "kept_champion"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome and why, in a sentence."""

    outcome: Outcome
    reason: str


def loss(metrics: Mapping[str, float], horizons: tuple[int, ...] = HORIZONS_DAYS) -> float | None:
    """Weighted quantile loss, mean over the horizons that were measured; None when none was."""
    known = [metrics[f"wql_{days}d"] for days in horizons if f"wql_{days}d" in metrics]
    return sum(known) / len(known) if known else None


def judge(
    challenger: Mapping[str, float],
    on_same_days: tuple[Mapping[str, float], Mapping[str, float]] | None,
    *,
    has_champion: bool,
    always_ask: bool = False,
) -> Judgement:
    """`challenger`: metrics of its own back-test. `on_same_days`: (challenger, champion) on days both had not seen, or
    None when there are too few of them or the champion cannot be read any more."""
    judgement = _by_rules(challenger, on_same_days, has_champion=has_champion)
    if always_ask and judgement.outcome is Outcome.PROMOTE and has_champion:
        return Judgement(Outcome.ASK, f"The rules would promote it ({judgement.reason}), a person is to decide.")
    return judgement


def _by_rules(
    challenger: Mapping[str, float],
    on_same_days: tuple[Mapping[str, float], Mapping[str, float]] | None,
    *,
    has_champion: bool,
) -> Judgement:
    ours, naive = challenger.get("total_error_28d"), challenger.get("naive_total_error_28d")
    if not has_champion:
        if ours is None or naive is None:
            return Judgement(Outcome.PROMOTE, "first model; too little history to compare it with the seasonal naive")
        says = f"28-day totals: error {ours:.3f} of demand, seasonal naive {naive:.3f}, on days the model had not seen"
        return Judgement(Outcome.PROMOTE, says)
    doubt = _doubt(challenger)
    if doubt is not None:
        return Judgement(Outcome.ASK, doubt)
    if on_same_days is None:
        return Judgement(Outcome.PROMOTE, "the champion has seen the days it would be compared on; this one knows more")
    mine, theirs = (loss(metrics) for metrics in on_same_days)
    if mine is None or theirs is None:
        return Judgement(Outcome.PROMOTE, "too few unseen days to compare; this one knows more recent ones")
    change = mine / theirs - 1 if theirs > 0 else 0.0
    told = f"quantile loss {mine:.3f} against {theirs:.3f} of the champion on the same unseen days ({change:+.1%})"
    if change > LOSS_TOLERANCE:
        return Judgement(Outcome.KEEP, f"{told}: worse by more than {LOSS_TOLERANCE:.0%}, the champion stays")
    return Judgement(Outcome.PROMOTE, told)


def _doubt(metrics: Mapping[str, float]) -> str | None:
    """What a person should see before this model speaks."""
    bias = metrics.get("bias_28d")
    if bias is not None and abs(bias) > BIAS_MAX:
        return f"bias of 28-day totals is {bias:+.0%} of demand on unseen days; the rules allow {BIAS_MAX:.0%}"
    covered = metrics.get(f"coverage_28d_{COVERAGE_LEVEL}")
    if covered is not None and covered < COVERAGE_MIN:
        return f"the {COVERAGE_LEVEL:.0%} level covers {covered:.1%} of 28-day totals; the rules ask for {COVERAGE_MIN:.0%}"
    ours, naive = metrics.get("total_error_28d"), metrics.get("naive_total_error_28d")
    if ours is not None and naive is not None and ours > naive:
        return f"error of 28-day totals {ours:.3f} is above the seasonal naive's {naive:.3f}"
    return None
