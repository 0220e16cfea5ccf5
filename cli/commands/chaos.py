"""`./run chaos`: hurt the real processes by a seed's chance, and check every promise from the outside."""

import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any

import typer

from cli import output
from cli.errors import Exit, Trouble
from cli.local import ROOT
from cli.options import AsJson
from cli.signals import ending_politely
from lab.bench.machine import describe
from lab.chaos.episode import Episode, play
from lab.chaos.faults import FAULTS

app = typer.Typer(add_completion=False)
REPLAY = "replay"  # a finale, not a fault in the stream: everything is read again when all is calm
LOST = frozenset({"lost"})
DOUBLED = frozenset({"doubled", "decided twice", "gap or double", "replay"})
FOREIGN = frozenset({"foreign"})


@app.command()
def chaos(
    seed: Annotated[int, typer.Option("--seed", help="The first seed; the same seed hurts in the same way.")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds, one after the other.")] = 1,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.2, help="Of faults; none: every fault once.")
    ] = None,
    faults: Annotated[
        str | None, typer.Option("--faults", help="Some of them, comma separated.", show_default=False)
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", show_default=False, help="Where it all happens.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder of a run that held.")] = False,
    as_json: AsJson = False,
) -> None:
    """A fault run: own Kafka, own Postgres, five services, a crowd of clients, faults by chance, an independent checker.

    Everything lives in .countersign-chaos and on ports of its own; a seed whose promises do not hold keeps its folder.

    \b
    Examples:
      ./run chaos --json                             every fault once
      ./run chaos --seed 7 --seeds 20 --minutes 3    twenty seeds, three minutes of faults each
      ./run chaos --faults kill,broker-kill --minutes 5
    """
    chosen = _chosen(faults)
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # it tells of every broken connection, and breaking them is the point
    folder = (data_dir or ROOT / ".countersign-chaos").absolute()
    episodes = []
    with ending_politely():
        for number in range(seed, seed + seeds):
            output.say(f"seed {number}")
            one = play(folder / str(number), number, minutes=minutes, faults=chosen, say=output.say, keep=keep)
            episodes.append(one)
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "runs.jsonl").open("a") as file:
                file.write(json.dumps(one.as_dict()) + "\n")
    result = report(episodes)
    output.result(result) if as_json else show(result)
    if result["violations"]:
        raise Trouble(
            "promise_broken",
            f"{len(result['violations'])} promises did not hold in {seeds} seeds.",
            why="; ".join(str(one) for one in result["violations"][:3]),
            way_out=f"the folders of these seeds are kept in {folder}: history.jsonl, logs, database and broker; run the "
            "same seed again with --keep",
        )


def _chosen(faults: str | None) -> list[str]:
    known = [*FAULTS, REPLAY]
    if faults is None:
        return known
    chosen = [name.strip() for name in faults.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise Trouble(
            "fault_unknown",
            f"There is no fault called {', '.join(unknown) or repr(faults)}.",
            why=f"known are {', '.join(known)}",
            way_out="name some of those",
            exit_code=Exit.USAGE,
        )
    return chosen


def report(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Figures over all seeds, and by fault."""
    by_fault: dict[str, list[float]] = defaultdict(list)
    for one in episodes:
        for name, took in one.injections:
            by_fault[name].append(took)
    violations = [(one.seed, found) for one in episodes for found in one.violations]
    counts: dict[str, int] = defaultdict(int)
    for one in episodes:
        for name, count in one.counts.items():
            counts[name] += count
    everything = [took for all_ in by_fault.values() for took in all_]
    return {
        "machine": describe(),
        "load_average": [round(one.load, 1) for one in episodes],
        "seeds": [one.seed for one in episodes],
        "kills": sum(one.kills for one in episodes),
        "injections": len(everything),
        "lost": sum(found.kind in LOST for _, found in violations),
        "doubled": sum(found.kind in DOUBLED for _, found in violations),
        "cross_tenant": sum(found.kind in FOREIGN for _, found in violations),
        "audit_verified": sum(all(found.invariant != "A" for found in one.violations) for one in episodes),
        "recovery_seconds": _percentiles(everything),
        "faults": {
            name: {"injections": len(all_), "recovery_seconds": _percentiles(all_), "row": FAULTS[name].row}
            for name, all_ in sorted(by_fault.items())
        },
        "counts": dict(sorted(counts.items())),
        "facts": {
            name: sum(one.facts.get(name, 0) for one in episodes) for name in (episodes[0].facts if episodes else ())
        },
        "skipped": {name: why for one in episodes for name, why in one.skipped.items()},
        "violations": [[number, found.invariant, found.kind, found.what] for number, found in violations],
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    if len(values) == 1:
        return {"p50": round(values[0], 1), "p95": round(values[0], 1), "max": round(values[0], 1)}
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "max": round(max(values), 1)}


def show(result: dict[str, Any]) -> None:
    """By fault: how often, and how long until caught up; then the promises."""
    rows = [
        [name, one["row"], one["injections"], one["recovery_seconds"]["p50"], one["recovery_seconds"]["p95"]]
        for name, one in result["faults"].items()
    ]
    output.table(["fault", "row", "injections", "caught up p50 s", "p95 s"], rows)
    for name, why in result["skipped"].items():
        output.warn(f"{name} was left out: {why}")
    output.line(
        f"{result['kills']} kills over {len(result['seeds'])} seeds: {result['lost']} lost, {result['doubled']} doubled, "
        f"{result['cross_tenant']} cross-tenant, audit verified {result['audit_verified']} times"
    )
    for one in result["violations"]:
        output.warn(" ".join(str(part) for part in one))
