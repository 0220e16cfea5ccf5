"""`./run bench forecast`: the forecaster against its peers on real demand, one JSON object or a table."""

from pathlib import Path
from typing import Any

from cli import output
from cli.errors import Exit, Trouble
from lab.bench import forecast, forecast_cost


def measure(data: Path | None, contests: str, *, with_peers: bool, as_json: bool) -> None:
    """Run the contests whose files are in `data`; raises Trouble where there are none. `cost` needs no files."""
    if contests in forecast_cost.SIZES:
        _cost(forecast_cost.run(contests, output.say), as_json=as_json)
        return
    if data is None or not data.is_dir():
        raise Trouble(
            "bench_data_missing", "There is no demand to forecast.", why="the demand files are not part of the project",
            way_out=f"--data FOLDER with any of {', '.join(sorted({one.file for one in forecast.CONTESTS}))}",
            exit_code=Exit.USAGE,
        )  # fmt: skip
    names = tuple(name.strip() for name in contests.split(",") if name.strip())
    unknown = [name for name in names if name not in {one.name for one in forecast.CONTESTS}]
    if unknown:
        raise Trouble(
            "bench_unknown", f"There is no contest called {unknown[0]!r}.", why="it is not in lab/bench/forecast.py",
            way_out=f"one of {', '.join([*forecast_cost.SIZES, *(one.name for one in forecast.CONTESTS)])}", exit_code=Exit.USAGE,
        )  # fmt: skip
    found = forecast.run(data, names, with_peers=with_peers, say=output.say)
    if as_json:
        output.result(found)
        return
    rows = [row for name, contest in found.items() for row in _rows(name, contest)]
    output.table(["contest", "model", "wQL", "total error", "bias", ".90", ".95", ".99", "CPU s"], rows)


def _cost(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.result(found)
        return
    rows = [
        [told["series"], *told["cpu_seconds_per_1000"].values(), told["peak_mb"]] for told in found["sizes"].values()
    ]
    output.table(["series", "CPU s / 1,000", "train", "compare", "forecast", "peak MB"], rows)


def _rows(name: str, contest: dict[str, Any]) -> list[list[object]]:
    if "skipped" in contest:
        return [[name, contest["skipped"], "", "", "", "", "", "", ""]]
    rows: list[list[object]] = []
    for model, told in contest["models"].items():
        if "skipped" in told:
            rows.append([name, told["skipped"], "", "", "", "", "", "", ""])
            continue
        covered = told.get("coverage", {})
        rows.append([
            name, model, told.get("wql", "-"), told["total_error"], told["bias"],
            *[covered.get(level, "-") for level in ("0.9", "0.95", "0.99")], told["cpu_seconds"],
        ])  # fmt: skip
    return rows
