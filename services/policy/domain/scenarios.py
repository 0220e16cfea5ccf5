"""Signals change the distribution, then the same cascade runs: demand multiplied on their days, lead time lengthened, mixed by
probability. A strategy per kind of signal bounds what a signal may do; it ends with its signal."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS, DemandTable, Mixture
from services.policy.domain.evidence import Evidence, Forecast, Signal, Terms, pack_integers
from services.policy.domain.lead_times import lateness

PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a kind of signal may do: `most` or `least` it multiplies demand by, `target_most` the reorder point by.

    `lengthens`: it makes lead times longer instead of demand larger.
    """

    most: float = float("inf")
    least: float = 0.0
    target_most: float = float("inf")
    lengthens: bool = False


def strategy_of(kind: str, evidence: Evidence) -> Strategy:
    """The tenant's bounds for a kind; kinds without bounds of their own are taken at their word."""
    rules = evidence.policy.parameters
    known = {
        "viral_event": Strategy(most=float(rules.viral_demand_max), target_most=float(rules.viral_target_max)),
        "holiday_peak": Strategy(most=float(rules.holiday_peak_max)),
        "supply_disruption": Strategy(most=float(rules.supply_disruption_max), lengthens=True),
        "competitor_out": Strategy(most=float(rules.competitor_out_max)),
        "economic_outlook": Strategy(least=float(rules.economic_outlook_min)),
        "after_holidays": Strategy(least=float(rules.after_holidays_min)),
    }
    return known.get(kind, Strategy())


def active(evidence: Evidence) -> tuple[Signal, ...]:
    """The signals that touch the forecast's days, in the order they are applied: by start, then by name.

    What a forecast says it contains already (the flag knows_promotion) is not counted a second time.
    """
    as_of = evidence.as_of
    if as_of is None:
        return ()
    contained = set(evidence.forecast.flags) if evidence.forecast is not None else set()
    near = (
        one
        for one in evidence.signals
        if one.ends_on > as_of
        and (one.starts_on - as_of).days <= DAYS
        and one.probability > 0
        and f"knows_{one.kind}" not in contained
    )
    return tuple(sorted(near, key=lambda one: (one.starts_on, one.signal_id)))


def heeded(evidence: Evidence) -> Evidence:
    """The evidence as experience and the signals make it. Overlapping signals are independent of each other: each mixes what
    the ones before it left, so that on a day of two signals their factors multiply with the product of their probabilities.
    """
    evidence = _experienced(evidence)
    for one in active(evidence) if evidence.signals else ():
        strategy = strategy_of(one.kind, evidence)
        factor = min(max(float(one.strength), strategy.least), strategy.most)
        if strategy.lengthens:
            if evidence.terms is not None:
                evidence = replace(evidence, terms=_lengthened(evidence.terms, factor, float(one.probability)))
        elif evidence.forecast is not None and evidence.as_of is not None:
            evidence = replace(evidence, forecast=_mixed(evidence.forecast, one, factor))
    return evidence


def _experienced(evidence: Evidence) -> Evidence:
    """The lead time's spread as the supplier's deliveries have shown it (their mean lateness is in the columns)."""
    terms, known = evidence.terms, evidence.deliveries
    if known is None or not known.after_promise or terms is None or not terms.lead_time_sd_days >= 0:
        return evidence
    spread = lateness(known.after_promise, float(terms.lead_time_sd_days)).sd_days
    return replace(evidence, terms=replace(terms, lead_time_sd_days=Decimal(f"{spread:.4f}")))


def target_most(evidence: Evidence) -> float:
    """How much larger than without signals the reorder point may become, as a factor."""
    return min((strategy_of(one.kind, evidence).target_most for one in active(evidence)), default=float("inf"))


def _lengthened(terms: Terms, factor: float, probability: float) -> Terms:
    """Mean and spread of a lead time that is `factor` times as long with this probability (law of total variance)."""
    if terms.lead_time_days is None or factor <= 1.0:
        return terms
    extra = (factor - 1.0) * terms.lead_time_days
    spread = float(terms.lead_time_sd_days)
    variance = spread * spread + probability * (1.0 - probability) * extra * extra
    days = terms.lead_time_days + int(np.ceil(round(probability * extra, 6)))
    return replace(
        terms, lead_time_days=days, lead_time_sd_days=Decimal(f"{float(np.sqrt(variance)):.4f}").quantize(PLACES)
    )


def _mixed(forecast: Forecast, signal: Signal, factor: float) -> Forecast:
    """The mixture of demand without the signal and demand multiplied on its days."""
    if len(forecast.mean_e4) != DAYS * 8 or len(forecast.quantiles_e2) != len(HORIZONS_DAYS) * len(LEVELS) * 8:
        return forecast  # screening refuses it
    means = np.frombuffer(forecast.mean_e4, dtype="<i8").astype(np.float64)
    touched = _days(forecast.origin, signal)
    multiplied = np.where(touched, means * factor, means)
    table = (
        np.frombuffer(forecast.quantiles_e2, dtype="<i8").astype(np.float64).reshape(len(HORIZONS_DAYS), len(LEVELS))
    )
    before, after = means.cumsum(), multiplied.cumsum()
    marks = np.asarray(HORIZONS_DAYS) - 1
    ratio = np.where(before[marks] > 0, after[marks] / np.where(before[marks] > 0, before[marks], 1.0), 1.0)
    probability = float(signal.probability)
    pair = (_curves(table), _curves(table * ratio[:, np.newaxis]))
    rows = np.repeat(np.arange(len(HORIZONS_DAYS)), len(LEVELS))
    weights = np.tile([1.0 - probability, probability], (len(rows), 1))
    mixture = Mixture((pair[0][rows], pair[1][rows]), weights)
    read = mixture.quantile(np.tile(LEVELS, len(HORIZONS_DAYS))).reshape(table.shape)
    ordered = np.maximum.accumulate(np.maximum.accumulate(read, axis=1), axis=0)
    expected = (1.0 - probability) * means + probability * multiplied
    return replace(
        forecast, mean_e4=pack_integers(np.rint(expected)), quantiles_e2=pack_integers(np.rint(np.round(ordered, 3)))
    )


def _curves(
    table: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Quantile curves with both ends of the support, as the kernel draws them."""
    return DemandTable.from_units(np.zeros(DAYS), table).nodes[0, 1:]


def _days(origin: date, signal: Signal) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which of the 56 days after the origin the signal touches, both ends included."""
    first, last = (signal.starts_on - origin).days, (signal.ends_on - origin).days
    days = np.arange(1, DAYS + 1)
    return np.asarray((days >= first) & (days <= last))


def without(evidence: Evidence, signals: Sequence[Signal]) -> Evidence:
    """The evidence as if these signals had not been observed."""
    left_out = {one.signal_id for one in signals}
    return replace(evidence, signals=tuple(one for one in evidence.signals if one.signal_id not in left_out))
