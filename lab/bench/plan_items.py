"""Item and forecast files of any size to plan from: real variety (slow and fast, cheap and dear, late and perishable)."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import stats

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS

DAY = date(2026, 3, 2)
SHAPES = 400  # different demand patterns; items share them, as their quantiles are slow to compute
LOCATIONS = 50


@dataclass(frozen=True, slots=True)
class Shapes:
    """Demand patterns: mean a day, and cumulative quantiles (shapes, 11, 11), in units."""

    daily: NDArray[np.float64]
    spread: NDArray[np.float64]
    quantiles: NDArray[np.float64]


def shapes(seed: int) -> Shapes:
    """Negative-binomial demand from one a month to two hundred a day."""
    chance = np.random.default_rng(seed)
    daily = np.exp(chance.uniform(np.log(0.03), np.log(200.0), SHAPES))
    ratio = chance.uniform(1.2, 6.0, SHAPES)
    total = daily[:, np.newaxis, np.newaxis] * np.asarray(HORIZONS_DAYS)[np.newaxis, :, np.newaxis]
    odds = ratio[:, np.newaxis, np.newaxis]
    quantiles = stats.nbinom.ppf(np.asarray(LEVELS)[np.newaxis, np.newaxis, :], total / (odds - 1.0), 1.0 / odds)
    return Shapes(daily, np.sqrt(daily * ratio), np.maximum.accumulate(quantiles, axis=1))


def shapes_of(items: int, seed: int, chance: np.random.Generator | None = None) -> NDArray[np.int64]:
    """Which pattern each item's demand has: the first thing drawn."""
    return (chance or np.random.default_rng(seed)).integers(0, SHAPES, items)


def write(folder: Path, items: int, seed: int = 7) -> tuple[Path, Path]:
    """Write `items-<n>.parquet` and `forecasts-<n>.parquet`; the same seed gives the same rows."""
    chance = np.random.default_rng(seed)
    known = shapes(seed)
    shape = shapes_of(items, seed, chance)
    daily = known.daily[shape]
    skus = [f"SKU{index // LOCATIONS:05}" for index in range(items)]
    places = [f"L{index % LOCATIONS:02}" for index in range(items)]
    forecasts = folder / f"forecasts-{items}.parquet"
    means = np.repeat(np.rint(daily * 10_000).astype(np.int64)[:, np.newaxis], DAYS, axis=1)
    nodes = np.rint(known.quantiles[shape] * 100).astype(np.int64).reshape(items, -1)
    pq.write_table(
        pa.table(
            {
                "sku": skus,
                "location": places,
                "origin": [DAY] * items,
                "confidence": np.round(chance.uniform(0.4, 0.99, items), 3),
                "mean_e4": pa.FixedSizeListArray.from_arrays(pa.array(means.reshape(-1)), DAYS),
                "quantiles_e2": pa.FixedSizeListArray.from_arrays(pa.array(nodes.reshape(-1)), nodes.shape[1]),
            }
        ),
        forecasts,
        compression="zstd",
    )
    cost = np.round(chance.lognormal(1.2, 0.9, items), 2) + 0.05
    chosen = folder / f"items-{items}.parquet"
    pq.write_table(
        pa.table(
            {
                "sku": skus,
                "location": places,
                "on_hand": np.floor(daily * chance.uniform(0, 30, items)),
                "reserved": np.floor(daily * chance.choice([0, 0, 0, 1], items)),
                "backorders": np.zeros(items),
                "open_orders": [
                    [
                        {
                            "order_id": f"PO{index}",
                            "quantity": float(max(round(units * 5), 1)),
                            "arrive_on": DAY + timedelta(days=index % 20),
                        }
                    ]
                    if index % 4 == 0
                    else []
                    for index, units in enumerate(daily.tolist())
                ],
                "price": np.round(cost * chance.uniform(1.1, 2.2, items), 2),
                "currency": ["EUR"] * items,
                "shelf_life_days": pa.array([30 if index % 9 == 0 else None for index in range(items)], pa.int64()),
                "abc_class": chance.choice(["A", "B", "C"], items, p=[0.2, 0.3, 0.5]),
                "supplier": [f"SUP{number:02}" for number in chance.integers(0, 40, items)],
                "lead_time_days": chance.integers(1, 15, items),
                "lead_time_sd_days": chance.choice([0.0, 0.0, 1.0, 2.0], items),
                "unit_cost": cost,
                "moq": chance.choice([0.0, 6.0, 12.0], items),
                "pack": chance.choice([1.0, 6.0, 12.0], items),
                "order_weekdays": [[0, 3] if index % 3 == 0 else [] for index in range(items)],
                "volume_m3": np.round(chance.uniform(0.0005, 0.02, items), 4),
            }
        ),
        chosen,
        compression="zstd",
    )
    return chosen, forecasts
