"""Two models on the same unseen days: the one that speaks, and one trained the way the new one was."""

from services.forecaster.domain.calibration import calibration_origins, collect
from services.forecaster.domain.panel import DemandPanel
from services.forecaster.domain.strategy import MeanForecaster
from services.forecaster.model.pipeline import score

ORIGINS_MIN = 2  # one origin is one week's weather


def on_same_days(
    panel: DemandPanel, ours: MeanForecaster, champion: MeanForecaster, champion_until: int
) -> tuple[dict[str, float], dict[str, float]] | None:
    """Metrics of (`ours`, fitted before the last eight weeks, and the champion) at origins that both had not seen.

    `champion_until`: last column the champion was fitted on. None where fewer than ORIGINS_MIN origins are left.
    """
    origins = [origin for origin in calibration_origins(panel.days) if origin >= champion_until]
    if len(origins) < ORIGINS_MIN:
        return None
    mine, theirs = collect(panel, ours, origins), collect(panel, champion, origins)
    return score(panel, mine), score(panel, theirs)
