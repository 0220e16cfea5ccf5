"""Planning at scale without servers: the whole cascade from files, its growth, its peers, scarcity, and derivation.

Peers on the same items in the same run: the source system's rule (r = mu L + z sigma sqrt(L), and the economic lot) as a plain
loop, and stockpyl's (r, Q) and (s, S) functions in an environment of their own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lab.bench import stockpyl_peer
from lab.bench.machine import Memory, slope
from lab.bench.plan_items import shapes, shapes_of, write
from services.policy.derive import rederive
from services.policy.domain.scarcity import BLOCKS_MAX
from services.policy.domain.selection import Blocks, best_choice, choose, choose_closely

SIZES = (1_000, 10_000, 30_000, 100_000)
SEED = 7
TARGETS = {"plan_100000_seconds": 30.0, "plan_peak_mb": 2048, "select_100000_seconds": 5.0, "gap_to_optimum": 0.005}
PEER_ITEMS_MAX = 2_000  # a library that solves one item in milliseconds is timed on so many, and told per item
EXACT_ITEMS = 400
Say = Callable[[str], None]


def measure(say: Say, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """All parts as one JSON-ready object."""
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as name:
        folder = Path(name)
        runs = []
        for items in sizes:
            say(f"planning {items:,} item-locations from files")
            runs.append(_planned(folder, items))
        say("deriving every recommendation of a run again")
        derived = _derived(folder, sizes[min(1, len(sizes) - 1)] * 2)
        say("the source system's rule on the same items")
        columns = _columns(folder, sizes[-1])
        peers = {"source_rule": _source_rule(columns)}
        say(f"stockpyl on {PEER_ITEMS_MAX:,} of them")
        peers["stockpyl"] = _stockpyl(columns)
    say("choosing under a budget")
    largest = runs[-1]
    return {
        "runs": runs,
        "seconds_per_1000_items": [round(one["seconds"] / one["items"] * 1000, 3) for one in runs],
        "growth": growth(runs),
        "growth_of_processor_seconds": growth(runs, "processor_seconds"),
        "derive": derived,
        "selection": _selection(sizes[-1]),
        "peers": peers,
        "ratios": _ratios(largest, peers),
        "targets": TARGETS,
    }


def _ratios(largest: dict[str, Any], peers: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Our seconds for the whole cascade of the largest run, files and words included, over each peer's for as many items: below
    1 we are faster. The peers compute a level and a lot from mean and spread, nothing else."""
    ours = largest["seconds"] / largest["items"] * 100_000
    told = {"source_rule": largest["seconds"] / max(peers["source_rule"]["seconds"], 1e-9)}
    for name, figures in peers["stockpyl"].items():
        if isinstance(figures, dict):
            told[f"stockpyl_{name}"] = ours / max(figures["seconds_per_100000"], 1e-9)
    return {name: round(ratio, 3) for name, ratio in told.items()}


def _planned(folder: Path, items: int, *options: str) -> dict[str, Any]:
    given, foreseen = write(folder, items, SEED)
    out = folder / f"plan-{items}.parquet"
    command = [sys.executable, "-m", "cli", "plan", "--items", str(given), "--forecasts", str(foreseen)]
    started, spent = time.monotonic(), _processor_seconds()
    process = subprocess.Popen(
        [*command, "--out", str(out), "--json", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    memory = Memory({"plan": process.pid}, every_seconds=0.5)
    memory.start()
    said, _errors = process.communicate()
    seconds = time.monotonic() - started
    peak = memory.stop()["peak_mb"]
    if process.returncode != 0:
        raise RuntimeError(f"planning {items} items ended with {process.returncode}")
    told = json.loads(said)
    rows = told["orders"] + sum(told["withheld"].values())
    assert rows == told["rows"] == items  # every item exactly once
    spent = round(_processor_seconds() - spent, 2)
    return {
        "items": items,
        "seconds": round(seconds, 2),
        "processor_seconds": spent,
        "peak_mb": peak,
        "orders": told["orders"],
    }


def _derived(folder: Path, items: int) -> dict[str, Any]:
    _planned(folder, items, "--documents")
    rows = pq.read_table(folder / f"plan-{items}.parquet", columns=["document"])["document"].drop_null().to_pylist()
    agreed = sum(rederive(json.loads(row))[0] for row in rows)
    return {"recommendations": len(rows), "agree": agreed, "share": agreed / len(rows)}


def _source_rule(columns: dict[str, list[float]]) -> dict[str, Any]:
    """Reorder point by the normal rule and the economic lot, one item after the other."""
    started = time.monotonic()
    orders = 0
    for mean, spread, lead, cost, stock in zip(*columns.values(), strict=True):
        z = NormalDist().inv_cdf(0.95)
        point = mean * lead + z * spread * sqrt(lead)
        lot = sqrt(2 * 0.5 * mean * 365 / (0.25 * cost))
        orders += stock < point and lot > 0
    return {"items": len(columns["mean"]), "seconds": round(time.monotonic() - started, 3), "orders": orders}


def _columns(folder: Path, items: int) -> dict[str, list[float]]:
    """What the peers need of the same items: daily mean and spread of demand, lead time, cost, stock."""
    table = pq.read_table(folder / f"items-{items}.parquet", columns=["lead_time_days", "unit_cost", "on_hand"])
    known, shape = shapes(SEED), shapes_of(items, SEED)
    return {
        "mean": known.daily[shape].tolist(),
        "spread": known.spread[shape].tolist(),
        "lead": table["lead_time_days"].to_pylist(),
        "cost": table["unit_cost"].to_pylist(),
        "stock": table["on_hand"].to_pylist(),
    }


def _stockpyl(columns: dict[str, list[float]]) -> dict[str, Any]:
    few = list(zip(*(values[:PEER_ITEMS_MAX] for values in columns.values()), strict=True))
    return stockpyl_peer.measure(
        [(mean, spread, lead, 0.25 * cost, cost, 0.5) for mean, spread, lead, cost, _stock in few]
    )


def _processor_seconds() -> float:
    """Spent by processes of ours that have ended, their workers with them: what else the machine does is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def growth(runs: Sequence[dict[str, Any]], measure: str = "seconds") -> dict[str, Any]:
    """How time grows with items: the straight line through the runs and how well it fits, and what an added item costs in the
    upper half of the sizes against the lower (1: the same)."""
    points = [(float(one["items"]), float(one[measure])) for one in runs]
    per_item = slope(points)
    mean_x, mean_y = (sum(one[axis] for one in points) / len(points) for axis in (0, 1))
    start = mean_y - per_item * mean_x
    left = sum((y - start - per_item * x) ** 2 for x, y in points)
    whole = sum((y - mean_y) ** 2 for _x, y in points)
    half = len(points) // 2 + 1
    lower, upper = slope(points[:half]), slope(points[half - 1 :])
    return {
        "start_seconds": round(start, 2),
        "added_seconds_per_1000": round(per_item * 1000, 4),
        "r_squared": round(1 - left / whole, 5) if whole else None,
        "upper_to_lower": round(upper / lower, 2) if lower > 0 else None,
    }


def blocks(items: int, seed: int = SEED) -> Blocks:
    """Items with one to seventeen blocks of falling profit, some with a minimum lot first."""
    chance = np.random.default_rng(seed)
    counts = chance.integers(1, BLOCKS_MAX + 2, items)
    item = np.repeat(np.arange(items), counts)
    pack = np.repeat(chance.choice([1.0, 6.0, 12.0], items), counts)
    cost = np.repeat(np.round(chance.lognormal(1.2, 0.9, items), 2) + 0.05, counts)
    place = np.concatenate([np.arange(count) for count in counts])
    units = np.where(place == 0, pack * np.repeat(chance.choice([1, 1, 3], items), counts), pack)
    margin = np.repeat(chance.uniform(0.1, 0.9, items), counts)
    profit = cost * units * (margin * np.exp(-place * np.repeat(chance.uniform(0.05, 0.6, items), counts)) - 0.01)
    volume = units * np.repeat(chance.uniform(0.0005, 0.02, items), counts)
    return Blocks(item, units, profit, np.stack([cost * units, volume], axis=1))


def _selection(items: int) -> dict[str, Any]:
    large = blocks(items)
    limits = large.uses.sum(axis=0) * 0.4
    started = time.monotonic()
    found = choose(large, limits.tolist())
    seconds = time.monotonic() - started
    small = blocks(EXACT_ITEMS)
    few = (small.uses.sum(axis=0) * 0.4).tolist()
    quick = choose_closely(small, few)
    best, is_proven = best_choice(small, few)
    optimum = float(small.profit[best].sum()) if best is not None else float("nan")
    return {
        "items": items,
        "blocks": len(large.item),
        "seconds": round(seconds, 2),
        "gap_at_most": round(found.gap, 6),
        "shadow_prices": [str(Decimal(f"{price:.6f}")) for price in found.prices],
        "exact": {
            "items": EXACT_ITEMS,
            "is_proven": is_proven,
            "gap": round(max(1 - quick.profit / optimum, 0.0), 6) if is_proven else None,
        },
    }
