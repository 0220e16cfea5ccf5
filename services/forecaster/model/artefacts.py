"""The artefact store: models as LightGBM text plus a JSON manifest, addressed by SHA-256. No pickle, ever.

A directory for now; an S3 API keeps the same keys (`<sha256>.json`, `<sha256>.txt`). Files are written beside and
renamed, so a reader sees a whole file or none; equal content has an equal name, so writing twice is harmless.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.forecaster.domain.calibration import Calibration, HorizonCalibration
from services.forecaster.model.gradient_boosting import PARAMETERS, GradientBoosted
from services.forecaster.model.pipeline import Calibrated
from services.forecaster.model.voices import NO_CHOICE, Choice

FORMAT = 1


class ArtefactDamaged(RuntimeError):
    """A stored file does not have the content its name promises; restore it from a backup or train again."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a stored model is: everything needed to make it again and to trust it."""

    strategy: str
    window_from: str
    window_to: str
    items: int
    seed: int
    features: tuple[str, ...]
    metrics: dict[str, float]
    model_sha256: str
    choice: Choice


class ArtefactStore:
    """Models in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(
        self,
        trained: Calibrated,
        choice: Choice = NO_CHOICE,
        *,
        window_from: str,
        window_to: str,
        items: int,
        seed: int,
    ) -> str:
        """Write a model and who speaks beside it; returns the SHA-256 of its manifest, which names the model's text."""
        forecaster = trained.forecaster
        if not isinstance(forecaster, GradientBoosted):
            raise TypeError(f"only trained LightGBM models are stored, not {type(forecaster).__name__}")
        text = forecaster.text.encode()
        manifest = {
            "format": FORMAT,
            "strategy": forecaster.strategy,
            "window_from": window_from,
            "window_to": window_to,
            "items": items,
            "seed": seed,
            "parameters": PARAMETERS,
            "features": list(forecaster.feature_names),
            "metrics": trained.metrics,
            "model_sha256": hashlib.sha256(text).hexdigest(),
            **_calibration_out(trained.calibration),
            "choice": {
                "best": dict(choice.best),
                "scores": choice.scores,
                "calibrations": {name: _calibration_out(one) for name, one in sorted(choice.calibrations.items())},
            },
        }
        self._write(text, "txt")
        return self._write(json.dumps(manifest, sort_keys=True, indent=1).encode(), "json")

    def load(self, sha256: str, *, threads: int = 1) -> tuple[Calibrated, Manifest]:
        """Read a model back. Raises ArtefactDamaged (or FileNotFoundError) rather than return anything else."""
        raw = json.loads(self._read(sha256, "json"))
        text = self._read(raw["model_sha256"], "txt").decode()
        calibration = _calibration_in(raw)
        # Models stored before strategies were chosen by class speak for everything, as they did.
        told = raw.get("choice", {"best": {}, "scores": {}, "calibrations": {}})
        others = {name: _calibration_in(one) for name, one in told["calibrations"].items()}
        manifest = Manifest(
            raw["strategy"], raw["window_from"], raw["window_to"], raw["items"], raw["seed"],
            tuple(raw["features"]), raw["metrics"], raw["model_sha256"], Choice(told["best"], told["scores"], others),
        )  # fmt: skip
        return Calibrated(GradientBoosted.from_text(text, threads), calibration, raw["metrics"]), manifest

    def _write(self, content: bytes, kind: str) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self._directory.mkdir(parents=True, exist_ok=True)
        draft = self._directory / f"{digest}.{kind}.draft"
        draft.write_bytes(content)
        draft.rename(self._directory / f"{digest}.{kind}")
        return digest

    def _read(self, digest: str, kind: str) -> bytes:
        path = self._directory / f"{digest}.{kind}"
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ArtefactDamaged(f"{path} does not have the SHA-256 of its name; restore it or train again")
        return content


def _calibration_out(one: Calibration) -> dict[str, Any]:
    return {"calibration": [_horizon_out(horizon) for horizon in one.horizons], "mean_correction": one.correction}


def _calibration_in(raw: dict[str, Any]) -> Calibration:
    # Models stored before means were corrected speak as they did.
    return Calibration(tuple(_horizon_in(one) for one in raw["calibration"]), raw.get("mean_correction", 1.0))


def _horizon_out(one: HorizonCalibration | None) -> dict[str, Any] | None:
    if one is None:
        return None
    arrays = {"centres": one.centres, "lump_edges": one.lump_edges, "ratios": one.ratios}
    return {name: array.tolist() for name, array in arrays.items()}


def _horizon_in(raw: dict[str, Any] | None) -> HorizonCalibration | None:
    if raw is None:
        return None
    return HorizonCalibration(*(np.array(raw[name]) for name in ("centres", "lump_edges", "ratios")))
