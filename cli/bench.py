"""`./run bench`: how fast the running product is, what it holds and what stops it, as one JSON object."""

import asyncio
import shutil
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from cli import bench_derive, bench_forecast, bench_ingest, bench_live, bench_planning, bench_ui, output
from cli.demo import bring_up, settings_for
from cli.demo_access import Access, plain_refusals
from cli.demo_history import absorb, plan
from cli.demo_live import Live
from cli.demo_progress import Stages
from cli.errors import Exit, Trouble
from cli.options import AsJson, DataDir
from cli.platform.databases import SERVICES
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely
from countersign_client import Client
from kit.settings import ServiceSettings
from lab.bench import backlog, events, hotkey, latency, plan_offline, poison
from lab.bench.machine import Memory, describe, processor_seconds
from lab.world.build import World
from lab.world.shape import FULL
from lab.world.story import closes_of_day
from lab.world.wire import feed
from schemas.topics import ORDERS

app = typer.Typer(add_completion=False)
# In the order in which they run: those that change least of the demo's state first.
PARTS = ("plan", "latency", "memory", "poison", "events", "hotkey", "backlog")
# What the issues ask for; the run says which of them it met.
TARGETS = {
    "events_per_second": 10_000,
    "latency_p99_ms": 500,
    "plan_seconds": 60,
    "memory_peak_mb": 2560,
    "backlog_events_per_second": 20_000,
    "hot_key_ratio": 0.7,
    "poison_milliseconds": 100,
}
AT_LEAST = ("events_per_second", "backlog_events_per_second", "hot_key_ratio")
EVENTS, BACKLOG_EVENTS = 300_000, 1_000_000
Part = Annotated[
    str,
    typer.Argument(
        help="plan, latency, memory, poison, events, hotkey, backlog, all, ingest, live, planning, derive, offline, ui, or forecast"
    ),
]

Count = Annotated[
    int | None,
    typer.Option(
        "--events",
        min=1000,
        show_default=False,
        help="Sales of a throughput run; 300,000, of a backlog 1,000,000. Items of `planning` (all sizes) and `derive` (20,000).",
    ),
]


@app.command()
def bench(
    part: Part = "all",
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port_base: Annotated[int | None, typer.Option("--port-base", min=1024, max=65000, show_default=False)] = None,
    count: Count = None,
    rate: Annotated[int, typer.Option("--rate", min=1, help="Sales a second of the latency run.")] = 500,
    seconds: Annotated[float, typer.Option("--seconds", min=10, help="Length of the latency run.")] = 60.0,
    minutes: Annotated[float, typer.Option("--minutes", min=0.5, help="Length of the memory run.")] = 10.0,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of demand files for `forecast`.")] = None,
    contests: Annotated[str, typer.Option("--contests", help="Which contests of `forecast`; default: all.")] = "",
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Run the peers of `forecast` too.")] = True,
) -> None:
    """Measure the running product on this machine, beside peers doing the same sums.

    Uses the demo's data in a folder of its own (.countersign-bench), so that a demo is not disturbed.

    \b
    Examples:
      ./run bench --json
      ./run bench latency --rate 500 --seconds 120 --json
      ./run bench backlog --events 1000000 --json
      ./run bench ingest --json
      ./run bench live --json
      ./run bench planning --json
      ./run bench derive --json
      ./run bench ui --json
      ./run bench forecast --data demand --json
      ./run bench offline
    """
    if part == "forecast":  # needs files instead of a running product
        bench_forecast.measure(data, contests, with_peers=peers, as_json=as_json)
        return
    if _without_the_demo(part, data_dir, port_base, count, as_json=as_json):
        return
    folder = data_dir or Path(".countersign-bench")
    local = LocalPlatform(settings_for(folder, port_base, any_port=True), output.say)
    chosen = PARTS if part == "all" else (part,)
    _begin_anew(local, folder, chosen, data_dir)
    result: dict[str, Any] = {"machine": describe()}
    with plain_refusals(), ending_politely():
        try:
            access, known, _ = bring_up(local, FULL, Stages())
            memory = watch(local)
            measured = {
                "plan": lambda: planning(local, access, known),
                "latency": lambda: latencies(local, access, known, rate=rate, seconds=seconds),
                "memory": lambda: living(local, access, known, minutes),
                "poison": lambda: poison.measure(local, known, output.say),
                "events": lambda: events.measure(local, known, count or EVENTS, output.say),
                "hotkey": lambda: hotkey.measure(local, known, count or EVENTS, output.say),
                "backlog": lambda: backlog.measure(local, known, count or BACKLOG_EVENTS, output.say),
            }
            for name in PARTS:
                if name in chosen:
                    output.say(f"measuring {name}")
                    before, load = processor_seconds(pids_of(local)), psutil.getloadavg()[0]
                    result[name] = measured[name]()
                    spent = _spent(before, processor_seconds(pids_of(local)))
                    result[name] |= {"load_average": round(load, 2), "processor_seconds": spent}
            if "memory" not in chosen:
                result["memory_meanwhile"] = memory.stop()
        finally:
            if local.started:
                local.stop_started()
    result["targets"] = verdicts(result)
    output.result(result) if as_json else show(result)


def _begin_anew(local: LocalPlatform, folder: Path, chosen: Sequence[str], data_dir: Path | None) -> None:
    """The days of an earlier memory run may have been told to the end: nothing would live in what is measured."""
    if "memory" in chosen and data_dir is None and local.kafka.running() is None:
        shutil.rmtree(folder, ignore_errors=True)


def _without_the_demo(
    part: str, data_dir: Path | None, port_base: int | None, count: int | None, *, as_json: bool
) -> bool:
    """Run a part that needs nothing of the demo; says whether it was one. Raises Trouble for a part nobody knows."""
    if part == "offline":  # needs no server: planning from files, at scale
        output.result({"machine": describe()} | plan_offline.measure(output.say))
        return True
    if part == "live":  # needs a database and nothing of the demo
        alone = LocalPlatform(settings_for(bench_live.folder_of(data_dir), port_base, any_port=True), output.say)
        bench_live.measure(alone, as_json=as_json)
        return True
    if part == "planning":  # needs the policy service and nothing of the demo
        planner = LocalPlatform(settings_for(bench_planning.folder_of(data_dir), port_base, any_port=True), output.say)
        bench_planning.measure(planner, count, as_json=as_json)
        return True
    if part == "derive":  # needs policy and audit and nothing of the demo
        logged = LocalPlatform(settings_for(bench_derive.folder_of(data_dir), port_base, any_port=True), output.say)
        bench_derive.measure(logged, count, as_json=as_json)
        return True
    if part == "ui":  # needs a browser, the gateway and approvals, and nothing of the demo
        seen = LocalPlatform(settings_for(bench_ui.folder_of(data_dir), port_base, any_port=True), output.say)
        bench_ui.measure(seen, as_json=as_json)
        return True
    if part == "ingest":  # needs the gateway and nothing of the demo
        folder = bench_ingest.folder_of(data_dir)
        door = LocalPlatform(settings_for(folder, port_base, any_port=True), output.say)
        bench_ingest.measure(door, count, as_json=as_json)
        return True
    if part not in (*PARTS, "all"):
        why, way_out = (
            f"the parts are {', '.join(PARTS)}, all, ingest, live, planning, derive, offline, ui and forecast",
            "name one of them",
        )
        raise Trouble(
            "bench_unknown",
            f"There is nothing called {part!r} to measure.",
            why=why,
            way_out=way_out,
            exit_code=Exit.USAGE,
        )
    return False


def _spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Processor seconds by process; one that was started again meanwhile (events does that) counts from its start."""
    return {
        part: round(used - before.get(part, 0.0) if used >= before.get(part, 0.0) else used, 1)
        for part, used in after.items()
    }


def watch(local: LocalPlatform) -> Memory:
    """Sample the five services from here on; Kafka and PostgreSQL are not ours to shrink and are told apart."""
    memory = Memory({name: pid for name, pid in pids_of(local).items() if name in SERVICES})
    memory.start()
    return memory


def pids_of(local: LocalPlatform) -> dict[str, int]:
    """Process ids of the five services and of the stores we started."""
    owned = {name: local.ledger.find(name) for name in (*SERVICES, "kafka", "postgres")}
    return {name: one.pid for name, one in owned.items() if one is not None and one.is_alive}


def planning(local: LocalPlatform, access: Access, known: World) -> dict[str, Any]:
    """Close the next business day everywhere, and wait until every item is forecast, then plan every item."""
    settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
    stages = Stages()
    with access.person(local.gateway_url, "admin") as admin:
        newest = admin.get("/v1/training")["state"]["newest_close"]
        number = next(n for n in range(known.shape.history_days, 400) if known.day(n).isoformat() > newest)
        started = time.monotonic()
        asyncio.run(feed(settings, closes_of_day(known, number)))
        absorb(local, admin, stages)
        forecast_seconds = time.monotonic() - started
        run = plan(admin, stages)
        absorb(local, admin, stages)
    return {
        "items": len(known.items),
        "forecast_seconds": round(forecast_seconds, 1),
        "plan_seconds": stages.seconds["plan"],
        "seconds": round(time.monotonic() - started, 1),
        "planned": run["items"],
        "proposed": run["proposed"],
    }


def latencies(local: LocalPlatform, access: Access, known: World, *, rate: int, seconds: float) -> dict[str, Any]:
    """Sale to changed recommendation, on items whose recommendation is open."""
    settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
    with access.person(local.gateway_url, "planner") as planner:
        rows = planner.recommendations(status="pending", limit=200)
        # The queue shows stock as it was when it proposed; the item knows it as it is.
        pending = {(row["sku"], row["location"]): on_hand(planner, row["sku"], row["location"]) for row in rows}
        newest = planner.get("/v1/training")["state"]["newest_close"]
    if not pending:
        raise Trouble(
            "bench_nothing_open",
            "No recommendation is open.",
            why="every line is decided",
            way_out="delete the bench's data folder and run again",
        )
    number = next(n for n in range(known.shape.history_days, 400) if known.day(n).isoformat() > newest)
    day = known.day(number).isoformat()
    items = [item for item in zip(known.skus, known.places, strict=True) if item not in pending]
    asyncio.run(latency.stock_up(settings, known.shape.tenant, items, day))
    with access.person(local.gateway_url, "admin") as admin:
        absorb(local, admin, Stages())
    return asyncio.run(latency.measure(settings, known.shape.tenant, items, pending, day, rate=rate, seconds=seconds))


def on_hand(planner: Client, sku: str, location: str) -> Decimal:
    """Units on hand, as the policy service keeps them."""
    return Decimal(planner.get(f"/v1/items/{sku}/{location}")["position"]["on_hand"])


def living(local: LocalPlatform, access: Access, known: World, minutes: float) -> dict[str, Any]:
    """Memory of all services while days go by and orders are made, at a business day every fifteen seconds."""
    memory = watch(local)
    topic = ORDERS.on(local.namespace)
    live = Live(
        known,
        local.data_dir / "demo" / "live.json",
        access.machine(local.gateway_url),
        bootstrap=local.kafka_bootstrap,
        topic=topic,
        pace_seconds=15.0,
    )
    live.start()
    time.sleep(minutes * 60)
    live.stop()
    return memory.stop()


def verdicts(result: dict[str, Any]) -> dict[str, Any]:
    """Each target with the figure and whether it was met."""
    figures = {
        "events_per_second": result.get("events", {}).get("events_per_second"),
        "latency_p99_ms": (result.get("latency", {}).get("milliseconds") or {}).get("p99"),
        "plan_seconds": result.get("plan", {}).get("seconds"),
        "memory_peak_mb": result.get("memory", result.get("memory_meanwhile", {})).get("peak_mb"),
        "backlog_events_per_second": result.get("backlog", {}).get("events_per_second"),
        "hot_key_ratio": result.get("hotkey", {}).get("ratio"),
        "poison_milliseconds": result.get("poison", {}).get("worst_milliseconds"),
    }
    told = {}
    for name, figure in figures.items():
        if figure is not None:
            is_met = figure >= TARGETS[name] if name in AT_LEAST else figure <= TARGETS[name]
            told[name] = {"figure": figure, "target": TARGETS[name], "met": is_met}
    return told


def show(result: dict[str, Any]) -> None:
    """The verdicts as a table."""
    rows = [
        [name, one["figure"], one["target"], "met" if one["met"] else "NOT met"]
        for name, one in result["targets"].items()
    ]
    output.table(["what", "measured", "target", ""], rows)
    if "events" in result:
        peer = result["events"]["peer_faust_table"]["events_per_second"]
        output.line(
            f"a plain Faust table in the same run: {peer:,} events/s, ratio {result['events']['ratio_to_peer']}"
        )
    for name, peer in result.get("backlog", {}).get("peers", {}).items():
        ratio = result["backlog"]["ratios_to_peers"].get(name)
        told = f"{peer['events_per_second']:,} events/s, ratio {ratio}" if ratio is not None else peer["skipped"]
        output.line(f"{name} over the same records: {told} ({peer['says']})")
