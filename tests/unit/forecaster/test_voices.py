"""Who speaks for an item: the choice by back-test for its class, unless a planner pinned something else."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kernel.distribution import DAYS
from kit.http import Problem
from services.forecaster import pins_api
from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.frame import ItemRecord
from services.forecaster.domain.panel import DemandPanel, IntArray
from services.forecaster.domain.pins import Pin, pinned
from services.forecaster.domain.segments import segments
from services.forecaster.domain.strategy import Expected
from services.forecaster.model import pinnable
from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.pipeline import baseline, train
from services.forecaster.model.shelf import Directory
from services.forecaster.model.strategies import SIMPLE
from services.forecaster.model.voices import Choice, Voices, choose
from tests.unit.forecaster.worlds import panel, retail


@dataclass(frozen=True, slots=True)
class RightAbout:
    """A model that knows the rate of items above a level and expects three times too much of slower ones."""

    level: float
    rate: float

    @property
    def strategy(self) -> str:
        return "half_right"

    def expected(self, world: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        said = SeasonalNaive(8).expected(world, origin, days, chosen)
        wrong = said.by_day.mean(axis=1, keepdims=True) < self.level
        return Expected(np.where(wrong, 3.0 * said.by_day, self.rate), said.lumpiness)


def item(sku: str, location: str = "L1", category: str = "milk", abc_class: str = "C") -> ItemRecord:
    return ItemRecord(sku, location, 0, category, date(2024, 1, 1), date(2024, 2, 1), abc_class)


def test_the_narrowest_pin_counts_and_of_equal_ones_the_newest() -> None:
    items = [item("a"), item("a", "L2"), item("b"), item("b", category="tea"), item("c", category="tea", abc_class="A")]
    pins = [
        Pin("1", "theta", sku="a", location="L2"),
        Pin("2", "tsb", sku="a"),
        Pin("3", "ets", category="milk"),
        Pin("4", "imapa", abc_class="A"),
        Pin("5", "ses", category="milk"),
    ]
    assert pinned(pins, items) == {0: "tsb", 1: "theta", 2: "ses", 4: "imapa"}
    assert pinned([], items) == {}


def test_a_class_is_spoken_for_by_what_its_back_test_prefers_and_a_pin_beats_both() -> None:
    generator = np.random.default_rng(5)
    rates = np.r_[np.full(150, 12.0), np.full(150, 0.2)]
    world = panel(generator.poisson(rates[:, None], (300, 250)).astype(np.float64))
    model = RightAbout(level=2.0, rate=12.0)
    choice = choose(world, model)
    kinds = segments(world, 249)
    assert choice.best["smooth"] == "lightgbm"
    slow = choice.best["intermittent"]
    assert slow in SIMPLE and set(choice.calibrations) == {name for name in choice.best.values() if name != "lightgbm"}
    assert choice.scores["intermittent"][slow] < 0.98 * choice.scores["intermittent"]["lightgbm"]
    preferred = replace(baseline(world, 249), forecaster=model)
    voices = Voices(preferred, choice, lambda name: baseline(world, 249, SIMPLE[name]))
    rows = np.array([3, 200, 201])
    assert kinds[3] == "smooth" and kinds[200] == kinds[201] == "intermittent"
    spoken = voices.speak(world, 249, rows, {201: "theta", 7: "ets"})
    assert spoken.strategies == ("half_right", slow, "theta") and spoken.is_pinned == (False, False, True)
    alone = baseline(world, 249, SIMPLE["theta"]).forecast(world, 249, np.array([201]))
    np.testing.assert_array_equal(spoken.distribution.quantiles[2], alone.quantiles[0])
    assert spoken.distribution.by_day[1, :28].sum() == pytest.approx(0.2 * 28, rel=0.8)


def test_a_stored_model_brings_who_speaks_beside_it(tmp_path: Path) -> None:
    world, _ = retail(60, 200)
    trained = train(world, GradientBoosting(rounds=5, rows_max=20_000))
    calibration = baseline(world, 199, SIMPLE["tsb"]).calibration
    choice = Choice({"lumpy": "tsb"}, {"lumpy": {"tsb": 0.5, "lightgbm": 0.6}}, {"tsb": calibration})
    store = ArtefactStore(Directory(tmp_path))
    window = {"window_from": "a", "window_to": "b", "items": 60, "seed": 1}
    _, manifest = store.load(store.save(trained, choice, **window))  # type: ignore[arg-type]
    assert manifest.choice.best == choice.best and manifest.choice.scores == choice.scores
    expected = SIMPLE["tsb"].expected(world, 199)
    before, after = calibration.distribution(expected), manifest.choice.calibrations["tsb"].distribution(expected)
    np.testing.assert_array_equal(after.quantiles, before.quantiles)
    assert store.load(store.save(trained, **window))[1].choice.best == {}  # type: ignore[arg-type]
    kinds = [kind_of(file.read_text("utf-8")) for file in sorted(tmp_path.rglob("*")) if file.is_file()]
    assert sorted(set(kinds)) == ["LightGBM text", "manifest"]  # nothing that runs when it is read


def kind_of(text: str) -> str:
    return (
        "LightGBM text"
        if text.startswith("tree\nversion=")
        else "manifest"
        if json.loads(text)["model_sha256"]
        else "?"
    )


def test_a_strategy_of_an_extra_is_pinned_only_where_it_could_speak_tonight(monkeypatch: pytest.MonkeyPatch) -> None:
    def code(ask: Callable[[], None]) -> str:
        with pytest.raises(Problem) as refused:
            ask()
        return refused.value.code

    for module in (pins_api, pinnable):
        monkeypatch.setattr(module, "is_installed", lambda package: package == "prophet")
    assert "prophet" in pinnable.available() and "xgboost" not in pinnable.available()
    assert code(lambda: pins_api.demand_pinnable("oracle", has_model=True)) == "strategy_not_pinnable"
    assert code(lambda: pins_api.demand_pinnable("xgboost", has_model=True)) == "strategy_not_installed"
    assert code(lambda: pins_api.demand_pinnable("prophet", has_model=False)) == "no_model_yet"
    assert code(lambda: pins_api.demand_scope("theta", 0)) == "scope_empty"
    assert code(lambda: pins_api.demand_scope("prophet", 201)) == "scope_too_wide"
    pins_api.demand_pinnable("prophet", has_model=True)
    pins_api.demand_pinnable("theta", has_model=False)
    pins_api.demand_scope("prophet", 200)
    pins_api.demand_scope("theta", 10_000)
    # What was pinned before its extra or the model went away does not silence the rest: those items have the usual voice.
    held = {1: "theta", 2: "xgboost", 3: "prophet"}
    assert pinnable.heeded(held, has_model=True) == ({1: "theta", 3: "prophet"}, ["xgboost"])
    assert pinnable.heeded(held, has_model=False) == ({1: "theta"}, ["prophet", "xgboost"])
