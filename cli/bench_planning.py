"""`./run bench planning`: 1,000 to 100,000 item-locations planned by the running policy service, and published."""

from pathlib import Path
from typing import Any

from cli import output
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely
from lab.bench import plan_live
from lab.bench.machine import describe
from lab.bench.running import Seat


def measure(local: LocalPlatform, items: int | None, *, as_json: bool) -> None:
    """Start policy, its database and a broker, measure (one run of so many items, or all sizes), stop them again."""
    result: dict[str, Any] = {"machine": describe()}
    with ending_politely():
        try:
            local.start(("policy",))
            owned = {name: local.ledger.find(name) for name in ("policy", "postgres", "kafka")}
            pids = {name: one.pid for name, one in owned.items() if one is not None}
            seat = Seat({"policy": local.service("policy").url}, local.database.url, local.data_dir, pids)
            result |= plan_live.measure(seat, output.say, plan_live.SIZES if items is None else (items,))
        finally:
            if local.started:
                local.stop_started()
    largest = result["runs"][-1]
    figures = {
        "plan_100000_seconds": largest["seconds"] / largest["items"] * 100_000,
        "plan_peak_mb": largest["peak_mb"],
    }
    result["targets"] = {
        name: {"figure": round(figure, 1), "target": plan_live.TARGETS[name], "met": figure <= plan_live.TARGETS[name]}
        for name, figure in figures.items()
    }
    if as_json:
        output.result(result)
        return
    rows = [[run["items"], run["seconds"], run["processor_seconds"], run["peak_mb"]] for run in result["runs"]]
    output.table(["items", "seconds", "processor s", "peak MB"], rows)


def folder_of(data_dir: Path | None) -> Path:
    """A folder of its own, so that nothing else is disturbed."""
    return data_dir or Path(".countersign-bench-planning")
