"""The peer: stockpyl's (r, Q) and (s, S) functions, one item after the other, as its guide shows.

Run by its own environment with the items as JSON on standard input; prints one line. The library asks for an old Sphinx and a
plotting library, which its formulas do not use: only what they import is installed.
"""

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REQUIREMENTS = (
    "stockpyl==1.0.2", "numpy>=2,<3", "scipy>=1.15,<2", "networkx>=3,<4", "tabulate>=0.9,<1", "tqdm>=4,<5", "jsonpickle>=4,<5",
)  # fmt: skip
DAYS_PER_YEAR = 365.0
# The functions raise on data outside their assumptions (such as a mean so small that no order pays).
REFUSALS = (ValueError, ArithmeticError, AssertionError, IndexError, TypeError)


def solve(items: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Seconds and results of each function. An item is daily mean and spread, lead time in days, holding cost per unit and
    year, cost of being short of a unit, and cost of an order."""
    from stockpyl import rq, ss  # type: ignore[import-not-found]  # only in the peer's own environment

    calls: dict[str, Callable[..., Any]] = {
        "r_q_eil": lambda mean, sd, lead, hold, short, setup: rq.r_q_eil_approximation(
            hold, short, setup, mean * DAYS_PER_YEAR, sd * DAYS_PER_YEAR**0.5, lead / DAYS_PER_YEAR
        ),
        "s_s_power": lambda mean, sd, lead, hold, short, setup: ss.s_s_power_approximation(
            hold / DAYS_PER_YEAR, short, setup, mean * (lead + 1), sd * (lead + 1) ** 0.5
        ),
    }
    told: dict[str, Any] = {}
    for name, call in calls.items():
        solved, started = 0, time.monotonic()
        for item in items:
            try:
                call(*item)
                solved += 1
            except REFUSALS:
                continue
        seconds = time.monotonic() - started
        told[name] = {"items": len(items), "solved": solved, "seconds_per_100000": round(seconds / len(items) * 1e5, 1)}
    return told


def measure(items: Sequence[Sequence[float]], patience_seconds: float = 600.0) -> dict[str, Any]:
    """The peer's figures on these items, or why there are none."""
    from lab.bench.peer_environment import environment, reason

    try:
        python = environment("stockpyl", REQUIREMENTS, alone=True)
    except (subprocess.SubprocessError, OSError) as error:
        return {"skipped": reason("stockpyl", error)}
    try:
        ended = subprocess.run(
            [str(python), str(Path(__file__))], input=json.dumps(items), capture_output=True, text=True,
            timeout=patience_seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"skipped": f"It was not through {len(items)} items after {patience_seconds:.0f} s."}
    if ended.returncode != 0:
        return {
            "skipped": f"It ended with code {ended.returncode} and said: {(ended.stderr.strip() or 'nothing')[-300:]}"
        }
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures | {"version": REQUIREMENTS[0]}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(solve(json.load(sys.stdin))))
