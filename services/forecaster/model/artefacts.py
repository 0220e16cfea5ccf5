"""The artefact store: models as LightGBM text plus a JSON manifest (`<sha256>.txt`, `<sha256>.json`), addressed by
SHA-256, on a shelf of either kind (`model/shelf.py`). No pickle, ever."""

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from services.forecaster.domain.calibration import Calibration, Head, HorizonCalibration
from services.forecaster.domain.negative_binomial import Learned, NegativeBinomialHead, head_of
from services.forecaster.model.gradient_boosting import PARAMETERS, GradientBoosted
from services.forecaster.model.pipeline import Calibrated
from services.forecaster.model.shelf import Shelf
from services.forecaster.model.voices import NO_CHOICE, Choice

FORMAT = 1


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
    """Models on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

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
        """Write a model and who speaks beside it; returns the SHA-256 of its manifest, which names the model's text.

        The manifest comes last: whoever finds one finds its model."""
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
        """Read a model back. Raises as `Shelf.read` does rather than return anything else."""
        raw = json.loads(self._shelf.read(f"{sha256}.json"))
        text = self._shelf.read(f"{raw['model_sha256']}.txt").decode()
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
        self._shelf.write(f"{digest}.{kind}", content)
        return digest


def _calibration_out(one: Calibration) -> dict[str, Any]:
    return {
        "calibration": [_horizon_out(horizon) for horizon in one.horizons],
        "mean_correction": one.correction,
        "heeds_falls": one.heeds_falls,
    }


def _calibration_in(raw: dict[str, Any]) -> Calibration:
    # Models stored before means were corrected, or before falls were heeded, speak as they did.
    heads = tuple(_horizon_in(one) for one in raw["calibration"])
    return Calibration(heads, raw.get("mean_correction", 1.0), raw.get("heeds_falls", False))


def _horizon_out(one: Head | None) -> dict[str, Any] | None:
    if one is None:
        return None
    if isinstance(one, NegativeBinomialHead):
        learned = {field.name: getattr(one.learned, field.name).tolist() for field in fields(Learned)}
        return {"head": "negative_binomial", **learned}
    arrays = {"centres": one.centres, "lump_edges": one.lump_edges, "ratios": one.ratios}
    return {name: array.tolist() for name, array in arrays.items()}


def _horizon_in(raw: dict[str, Any] | None) -> Head | None:
    if raw is None:
        return None
    if raw.get("head") == "negative_binomial":
        return head_of(Learned(**{field.name: np.array(raw[field.name]) for field in fields(Learned)}))
    return HorizonCalibration(*(np.array(raw[name]) for name in ("centres", "lump_edges", "ratios")))
