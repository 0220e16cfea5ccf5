"""From distributions to messages: integers of the contract, ids that follow from cause and content."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b

import numpy as np

from kernel.ids import derived_id
from kit.events import Outgoing, outgoing
from schemas.forecasts import DemandDistribution, ForecastIssuedV2
from services.forecaster.domain.anomalies import unusual
from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.known_ahead import knows
from services.forecaster.domain.likeness import Likeness, likenesses
from services.forecaster.domain.overrides import Changed
from services.forecaster.domain.panel import IntArray
from services.forecaster.domain.series import confidence, flags
from services.forecaster.domain.strategy import DistributionForecast
from services.forecaster.model.pipeline import Calibrated
from services.forecaster.model.voices import NO_CHOICE, Choice, Spoken

SERVICE = "forecaster"
NO_MODEL = "no_trained_model"
CALENDAR_GAP = "calendar_gap"
BASELINE_ID = "baseline"
BASELINE = SeasonalNaive()


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who forecasts: a trained model, or the baseline with the reason why."""

    calibrated: Calibrated | None
    model_id: str
    reason: str | None = None
    choice: Choice = NO_CHOICE
    window_to: date | None = None  # last day the model was fitted on
    known_names: tuple[str, ...] = ()  # what it expects to be told of the days ahead

    @property
    def strategy(self) -> str:
        """The strategy that stands behind `model_id`."""
        return BASELINE.name if self.calibrated is None else self.calibrated.forecaster.strategy


@dataclass(frozen=True, slots=True)
class Task:
    """Forecast these items of the frame, all with the same origin, because of `cause`."""

    rows: IntArray
    origin: int
    cause: str
    cause_at: datetime
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A message, as published and as kept; the daily means before any person changed them, in ten-thousandths; and of a
    young item those it was borrowed from."""

    message: ForecastIssuedV2
    outgoing: Outgoing
    caused_at: datetime
    model_mean_e4: tuple[int, ...]
    likeness: Likeness | None = None


# Overrides of people, laid over what the model says for these rows at this origin.
Laid = Callable[[DistributionForecast, int, IntArray], Changed]


def as_the_model_says(forecast: DistributionForecast, _origin: int, rows: IntArray) -> Changed:
    """Nobody changed anything."""
    return Changed(forecast, ((),) * len(rows))


def issue_all(
    tenant: str,
    frame: Frame,
    work: Sequence[Task],
    speaker: Speaker,
    speaks: Callable[[int, IntArray], Spoken],
    laid: Laid = as_the_model_says,
) -> list[Issued]:
    """Forecast all tasks; those with the same origin in one go, because a hundred locations close on the same evening."""
    issued: list[Issued] = []
    for origin in sorted({task.origin for task in work}):
        mine = [task for task in work if task.origin == origin]
        rows = np.unique(np.concatenate([task.rows for task in mine]))
        whole = speaks(origin, rows)
        changed = laid(whole.distribution, origin, rows)
        for task in mine:
            place = np.searchsorted(rows, task.rows)
            said = whole.take(place)
            final = changed.distribution
            part = DistributionForecast(final.by_day[place], final.quantiles[place])
            ids = tuple(changed.ids[one] for one in place.tolist())
            issued += issue(tenant, frame, task, speaker, said, Changed(part, ids))
    return issued


def issue(
    tenant: str,
    frame: Frame,
    task: Task,
    speaker: Speaker,
    said: Spoken,
    changed: Changed,
) -> list[Issued]:
    """Write the messages of a task, its distributions in the order of its rows: what was `said`, and that `changed` by
    people. Same input: same bytes and ids."""
    means = _ten_thousandths(changed.distribution)
    of_model = _ten_thousandths(said.distribution)
    quantiles = _integers(changed.distribution)
    part = frame.panel.take(task.rows)
    censored = frame.censored_share(task.origin)[task.rows]
    reasons = flags(part, task.origin, censored, frame.negative_days[task.rows])
    trust = confidence(part, task.origin, censored, has_model=speaker.calibrated is not None)
    odd = unusual(frame.panel, task.origin, task.rows)
    told = knows(frame, task.origin, task.rows)
    recent = frame.recent_demand(task.origin)[task.rows]
    alike = likenesses(frame, task.origin, task.rows)
    extra = tuple(
        reason for reason in (speaker.reason, "late_correction" if task.corrected else None) if reason is not None
    )
    issued = []
    for position, row in enumerate(task.rows.tolist()):
        item = frame.items[row]
        strategy = said.strategies[position]
        # The model's name stands only under what the model says: a simple strategy is its own.
        model_id = speaker.model_id if strategy == speaker.strategy else strategy
        content = blake2b(repr((means[position], quantiles[position])).encode(), digest_size=8).hexdigest()
        message = ForecastIssuedV2(
            tenant=tenant,
            sku=item.sku,
            location=item.location,
            forecast_id=derived_id(SERVICE, tenant, task.cause, item.sku, item.location, model_id, content),
            origin=frame.panel.day(task.origin),
            strategy=strategy,
            model_id=model_id,
            demand=DemandDistribution(
                mean_e4=tuple(means[position]), quantiles_e2=tuple(map(tuple, quantiles[position]))
            ),
            confidence=_shortest(trust[position]),
            flags=(
                *reasons[position],
                *(("spike",) if frame.has_spike(row) else ()),
                *((CALENDAR_GAP,) if frame.has_gap(row, task.origin) else ()),
                *odd[position],
                *extra,
                *(told[position] if strategy == speaker.strategy else ()),
                *(("pinned_strategy",) if said.is_pinned[position] else ()),
                *(("overridden",) if changed.ids[position] else ()),
            ),
            override_ids=changed.ids[position],
            revision=int(frame.revision[row]),
            recent_demand=_shortest(recent[position]),
        )
        sent = outgoing(message, service=SERVICE, cause=task.cause, time=task.cause_at, name=message.forecast_id)
        issued.append(Issued(message, sent, task.cause_at, tuple(of_model[position]), alike.get(row)))
    return issued


def _shortest(value: float) -> Decimal:
    """Four decimals without the zeros that end them."""
    return Decimal(f"{value:.4f}").normalize()


def _ten_thousandths(distribution: DistributionForecast) -> list[list[int]]:
    """Means by day as the contract writes them."""
    out: list[list[int]] = np.rint(np.clip(distribution.by_day, 0, 1e9) * 10_000).astype(np.int64).tolist()
    return out


def _integers(distribution: DistributionForecast) -> list[list[list[int]]]:
    """Hundredths of a unit, in order along levels and horizons after rounding too."""
    units = np.rint(np.clip(distribution.quantiles, 0, 1e9) * 100).astype(np.int64)
    ordered = np.maximum.accumulate(np.maximum.accumulate(units, axis=2), axis=1)
    out: list[list[list[int]]] = ordered.tolist()
    return out


def tasks(
    frame: Frame,
    closings: Sequence[tuple[str, int, str, datetime]],
    corrected: Sequence[tuple[str, str, str, datetime]],
    whole_location: int,
) -> list[Task]:
    """Group what is due into tasks with one origin and one cause each.

    `closings`: (location, partition, cause, cause at); `corrected`: (sku, location, cause, cause at). An item that a
    due closing covers anyway is not forecast a second time for its correction.
    """
    place = np.array([item.location for item in frame.items], dtype=object)
    partition = np.array([item.partition for item in frame.items], dtype=np.int64)
    out: list[Task] = []
    covered: set[int] = set()
    for location, number, cause, at in closings:
        mine = (place == location) & ((partition == number) | (number == whole_location))
        # A close reaches only items whose own last closed day it is; with two kinds of close those can differ.
        for origin in sorted(set(frame.origin[mine].tolist())):
            rows = np.flatnonzero(mine & (frame.origin == origin))
            out.append(Task(rows, int(origin), cause, at))
            covered.update(rows.tolist())
    number_of = {(item.sku, item.location): row for row, item in enumerate(frame.items)}
    for sku, location, cause, at in corrected:
        row = number_of.get((sku, location))
        if row is not None and row not in covered:
            out.append(Task(np.array([row]), int(frame.origin[row]), cause, at, corrected=True))
    return [task for task in out if task.origin >= 0]
