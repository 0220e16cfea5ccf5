"""What forecasting costs: processor seconds per 1,000 series and peak memory, by stage and size, on made-up series.

Two years of negative binomial demand with a weekday profile, levels from one unit in twenty days to ten a day, filled in
portions as the service fills its frame. Each size runs in a process of its own, so that its peak is its own. Processor
seconds, not wall time: they are nearly the same on a busy machine.
"""

import multiprocessing
import resource
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np

from services.forecaster.domain.frame import Cells, Frame, FrameBuilder, ItemRecord, Records
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.pipeline import baseline, train
from services.forecaster.model.strategies import SIMPLE
from services.forecaster.model.voices import Voices, choose

DAYS = 730
FIRST = date(2022, 1, 3)
PORTION = 2_000
ITEMS_OF_A_LOCATION = 400
WEEKDAYS = np.array([0.8, 0.8, 0.9, 1.0, 1.3, 1.6, 0.6])
DISPERSION = 1.5  # variance over mean
SIZES = {"cost": (1_000, 10_000), "cost-large": (100_000,)}
TARGETS = {"all": 6.0, "forecast": 1.0, "peak_mb": 3 * 1024}


def run(name: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures of every size of a part, the smallest first."""
    context = multiprocessing.get_context("spawn")
    sizes = {}
    for items in SIZES[name]:
        say(f"cost: {items:,} series of {DAYS} days")
        with context.Pool(1) as pool:
            sizes[str(items)] = pool.apply(measure, (items,))
    return {"targets": TARGETS, "sizes": sizes}


def measure(items: int) -> dict[str, Any]:
    """One size: CPU seconds by stage, per 1,000 series, and the largest memory this process ever had."""
    started = time.process_time()
    frame = world(items)
    panel = frame.panel
    begun = time.process_time()
    trained = train(panel, GradientBoosting())
    fitted = time.process_time()
    assert trained.earlier is not None
    choice = choose(panel, trained.earlier)
    chosen = time.process_time()
    voices = Voices(trained, choice, lambda name: baseline(panel, DAYS - 1, SIMPLE[name]))
    said = voices.speak(panel, DAYS - 1, np.arange(items), {})
    ended = time.process_time()
    assert np.isfinite(said.distribution.quantiles).all()
    thousands = items / 1_000
    return {
        "series": items,
        "cpu_seconds_per_1000": {
            "all": round((ended - begun) / thousands, 3),
            "train_and_calibrate": round((fitted - begun) / thousands, 3),
            "compare_strategies": round((chosen - fitted) / thousands, 3),
            "forecast": round((ended - chosen) / thousands, 3),
        },
        "frame_cpu_seconds": round(begun - started, 1),
        "panel_mb": round(panel.demand.nbytes / 2**20),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def world(items: int) -> Frame:
    """Made-up series in a frame, a portion at a time."""
    last = FIRST + timedelta(days=DAYS - 1)
    known = [
        ItemRecord(
            f"{row // 4:06}", f"L{row % 4 + 4 * (row // ITEMS_OF_A_LOCATION // 4)}", 0, f"C{row % 30}", FIRST, last
        )
        for row in range(items)
    ]
    builder = FrameBuilder(known, history_days=DAYS)
    generator = np.random.default_rng(1)
    profile = WEEKDAYS[np.arange(DAYS) % 7]
    epoch = (FIRST - date(1970, 1, 1)).days
    for start in range(0, items, PORTION):
        part = tuple(known[start : start + PORTION])
        level = np.exp(generator.uniform(np.log(0.05), np.log(10.0), len(part)))
        mean = level[:, None] * profile[None, :]
        demand = generator.negative_binomial(mean / (DISPERSION - 1), 1 / DISPERSION)
        row, column = np.nonzero(demand)
        sold = Cells(row, column + epoch, demand[row, column].astype(np.float64))
        none = Cells.empty()
        revision = np.zeros(len(part), dtype=np.int64)
        builder.add(Records(part, sold, sold, none, none, np.zeros(0, dtype=np.bool_), revision))
    return builder.frame()
