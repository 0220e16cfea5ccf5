"""Planning at scale without servers: the whole cascade from files, its growth, its peers, scarcity, and derivation.

Peers on the same items in the same run: the source system's rule (r = mu L + z sigma sqrt(L), and the economic lot) as a plain
loop, and stockpyl's (r, Q) and (s, S) functions where that library is installed (it is no dependency of this project).
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lab.bench.machine import Memory, slope
from lab.bench.plan_items import shapes, write
from services.policy.derive import rederive
from services.policy.domain.scarcity import BLOCKS_MAX
from services.policy.domain.selection import Blocks, best_choice, choose, choose_closely

SIZES = (1_000, 10_000, 100_000)
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
        peers = {"source_rule": _source_rule(sizes[-1]), "stockpyl": _stockpyl()}
    say("choosing under a budget")
    largest = runs[-1]
    return {
        "runs": runs,
        "seconds_per_1000_items": [round(one["seconds"] / one["items"] * 1000, 3) for one in runs],
        "added_seconds_per_1000": round(slope([(one["items"], one["seconds"]) for one in runs]) * 1000, 4),
        "derive": derived,
        "selection": _selection(sizes[-1]),
        "peers": peers,
        "ratio_to_source_rule": round(largest["seconds"] / max(peers["source_rule"]["seconds"], 1e-9), 1),
        "targets": TARGETS,
    }


def _planned(folder: Path, items: int, *options: str) -> dict[str, Any]:
    given, foreseen = write(folder, items, SEED)
    out = folder / f"plan-{items}.parquet"
    command = [sys.executable, "-m", "cli", "plan", "--items", str(given), "--forecasts", str(foreseen)]
    started = time.monotonic()
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
    return {"items": items, "seconds": round(seconds, 2), "peak_mb": peak, "orders": told["orders"]}


def _derived(folder: Path, items: int) -> dict[str, Any]:
    _planned(folder, items, "--documents")
    rows = pq.read_table(folder / f"plan-{items}.parquet", columns=["document"])["document"].drop_null().to_pylist()
    agreed = sum(rederive(json.loads(row))[0] for row in rows)
    return {"recommendations": len(rows), "agree": agreed, "share": agreed / len(rows)}


def _source_rule(items: int) -> dict[str, Any]:
    """Reorder point by the normal rule and the economic lot, one item after the other."""
    known = shapes(SEED)
    chance = np.random.default_rng(SEED)
    shape = chance.integers(0, len(known.daily), items)
    mean, spread = known.daily[shape].tolist(), known.spread[shape].tolist()
    lead, cost = chance.integers(1, 15, items).tolist(), (chance.lognormal(1.2, 0.9, items) + 0.05).tolist()
    stock = (known.daily[shape] * chance.uniform(0, 30, items)).tolist()
    started = time.monotonic()
    orders = 0
    for index in range(items):
        z = NormalDist().inv_cdf(0.95)
        point = mean[index] * lead[index] + z * spread[index] * sqrt(lead[index])
        lot = sqrt(2 * 0.5 * mean[index] * 365 / (0.25 * cost[index]))
        orders += stock[index] < point and lot > 0
    return {"items": items, "seconds": round(time.monotonic() - started, 3), "orders": orders}


def _stockpyl() -> dict[str, Any]:
    """Seconds per item of the library's comparable functions, or that it is not installed."""
    try:
        rq, ss = (importlib.import_module(f"stockpyl.{name}") for name in ("rq", "ss"))
    except ImportError:
        return {"installed": False, "says": "stockpyl is not installed here; install it beside the project to compare"}
    known = shapes(SEED)
    timed: dict[str, Any] = {"installed": True}
    calls: dict[str, Callable[[float, float], object]] = {
        "r_q_eil": lambda mean, spread: rq.r_q_eil_approximation(
            0.25, 5.0, 0.5, mean * 365, spread * sqrt(365), 7 / 365
        ),
        "s_s_power": lambda mean, spread: ss.s_s_power_approximation(0.25 / 365, 1.0, 0.5, mean, spread),
    }
    for name, call in calls.items():
        started, solved, count = time.monotonic(), 0, 0
        for mean, spread in zip(known.daily.tolist(), known.spread.tolist(), strict=True):
            count += 1
            try:
                call(mean, spread)
                solved += 1
            except (ValueError, ArithmeticError, AssertionError):
                continue
            if count >= PEER_ITEMS_MAX:
                break
        seconds = time.monotonic() - started
        timed[name] = {"items": count, "solved": solved, "seconds_per_100000": round(seconds / count * 100_000, 1)}
    return timed


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
