"""Who speaks for which item: the global model, a strategy that a back-test prefers for its class, or one a planner pinned.

Each voice has a calibration of its own, measured on all items, so that a pin on one item never rests on one item's errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.forecaster.domain.calibration import Calibration
from services.forecaster.domain.cleaning import ITEMS_AT_ONCE
from services.forecaster.domain.panel import DemandPanel, IntArray
from services.forecaster.domain.segments import assigned, best_of, segments
from services.forecaster.domain.strategy import DistributionForecast, MeanForecaster
from services.forecaster.model.choice import compare
from services.forecaster.model.pipeline import Calibrated, baseline
from services.forecaster.model.strategies import CONTESTANTS, PREFERRED, SIMPLE

# More items than this do not tell two strategies apart any better; they are taken evenly over all.
COMPARED_ITEMS_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Choice:
    """By class of demand the strategy that speaks for it; the scores it was chosen by (class, strategy); and the
    calibration of every chosen one beside the model."""

    best: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    def told(self) -> dict[str, dict[str, object]]:
        """By class: who speaks for it, and what each scored."""
        return {kind: {"strategy": name, "scores": dict(self.scores[kind])} for kind, name in self.best.items()}


NO_CHOICE = Choice()


@dataclass(frozen=True, slots=True)
class Spoken:
    """Distributions of some items, with who spoke for each and whether a planner had pinned it."""

    distribution: DistributionForecast
    strategies: tuple[str, ...]
    is_pinned: tuple[bool, ...]

    def take(self, positions: IntArray) -> "Spoken":
        """What was said of some of them."""
        whole, at = self.distribution, positions.tolist()
        part = DistributionForecast(whole.by_day[positions], whole.quantiles[positions])
        return Spoken(part, tuple(self.strategies[one] for one in at), tuple(self.is_pinned[one] for one in at))


@dataclass(frozen=True, slots=True)
class Voices:
    """All that can speak at an origin. `calibrated` gives a strategy nobody chose its calibration."""

    preferred: Calibrated
    choice: Choice
    calibrated: Callable[[str], Calibrated]

    def speak(self, panel: DemandPanel, origin: int, rows: IntArray, pins: Mapping[int, str]) -> Spoken:
        """Distributions after column `origin` of these rows; `pins`: strategy by row of the frame."""
        kinds = _segments(panel, origin, rows) if self.choice.best else ("",) * len(rows)
        held = {position: pins[row] for position, row in enumerate(rows.tolist()) if row in pins}
        names = np.array(assigned(kinds, self.choice.best, PREFERRED, item_pins=held), dtype=object)
        by_day = np.empty((len(rows), DAYS))
        quantiles = np.empty((len(rows), len(HORIZONS_DAYS), len(LEVELS)))
        spoken = np.empty(len(rows), dtype=object)
        for name in sorted(set(names.tolist())):
            mine = np.flatnonzero(names == name)
            voice = self._voice(name)
            said = voice.forecast(panel, origin, rows[mine])
            by_day[mine], quantiles[mine], spoken[mine] = said.by_day, said.quantiles, voice.forecaster.strategy
        distribution = DistributionForecast(by_day, quantiles)
        return Spoken(distribution, tuple(spoken.tolist()), tuple(at in held for at in range(len(rows))))

    def _voice(self, name: str) -> Calibrated:
        if name == PREFERRED:
            return self.preferred
        known = self.choice.calibrations.get(name)
        return self.calibrated(name) if known is None else Calibrated(SIMPLE[name], known, {})


def _segments(panel: DemandPanel, origin: int, rows: IntArray) -> tuple[str, ...]:
    parts = [rows[start : start + ITEMS_AT_ONCE] for start in range(0, len(rows), ITEMS_AT_ONCE)]
    return tuple(kind for part in parts for kind in segments(panel.take(part), origin))


def choose(panel: DemandPanel, earlier: MeanForecaster) -> Choice:
    """Back-test the model as it stood eight weeks ago against one of each simple family, by class of demand."""
    items = len(panel.item_ids)
    some = np.unique(np.linspace(0, items - 1, min(items, COMPARED_ITEMS_MAX)).astype(np.int64))
    contestants = {PREFERRED: earlier, **{name: SIMPLE[name] for name in CONTESTANTS if name in SIMPLE}}
    scores = compare(panel, contestants, some)
    best = {segment: best_of(told, PREFERRED) for segment, told in scores.items()}
    wanted = sorted(set(best.values()) - {PREFERRED})
    part = panel.take(some)
    calibrations = {name: baseline(part, part.days - 1, SIMPLE[name]).calibration for name in wanted}
    rounded = {segment: {name: round(value, 6) for name, value in told.items()} for segment, told in scores.items()}
    return Choice(best, rounded, calibrations)
