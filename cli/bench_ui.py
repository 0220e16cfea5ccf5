"""`./run bench ui`: the pages in a real Chromium with a queue of 5,000 lines, and fifty planners at one gateway process."""

import asyncio
import importlib.util
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import uvloop

from cli import demo_access, output
from cli.errors import Exit, Trouble
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely
from kit.settings import ServiceSettings
from lab.bench import full_queue, planners
from lab.bench.machine import describe, processor_seconds
from services.gateway.access import COOKIE

LINES, REVIEWED = 5_000, 200
PLANNERS, LINES_EACH = 50, 12
# Of the product only what a decision passes through; the item panel says which owners are away, as it would to a planner.
SERVICES = ("approvals", "gateway")
PATIENCE_SECONDS = 120.0
# What issue 7 asks for.
TARGETS = {
    "queue_usable_ms": 1_000,
    "scroll_p95_ms": 100,
    "filter_p95_ms": 100,
    "action_echo_p95_ms": 100,
    "page_compressed_kb": 900,
    "review_median_seconds": 2.0,
    "reads_p99_ms": 300,
    "decisions_p99_ms": 500,
    "decisions_lost": 0,
}


def measure(local: LocalPlatform, *, as_json: bool) -> None:
    """Start what is needed, fill the queue, measure, stop it again, and say the figures."""
    _demand_browser()
    from lab.bench import pages  # only now: it imports Playwright, which belongs to the development packages

    result: dict[str, Any] = {"machine": describe(), "load_average": round(psutil.getloadavg()[0], 2)}
    tenant = f"bench{time.time_ns():x}"  # a queue of its own each time: yesterday's decisions are not in it
    with demo_access.plain_refusals(), ending_politely():
        try:
            local.start(SERVICES)
            tokens = asyncio.run(planners.seats(local.database.service_url("gateway"), tenant, PLANNERS + 1))
            with httpx2.Client(base_url=local.gateway_url, cookies={COOKIE: tokens[0]}, timeout=30) as first:
                output.say(f"filling the queue with {LINES:,} lines")
                settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
                asyncio.run(full_queue.publish(settings, tenant, LINES))
                _await_waiting(first, LINES)
                told = (COOKIE, tokens[0])
                result["pages"] = pages.measure(local.gateway_url, told, LINES, REVIEWED, output.say)
                decided = pages.ECHOES + result["pages"]["review"]["lines"]
                _await_waiting(first, LINES - decided)
                *lines, contested = _ids(first, PLANNERS * LINES_EACH + 1)
            result["planners"] = _working(local, settings, tokens[1:], lines, contested)
        finally:
            if local.started:
                local.stop_started()
    result["targets"] = verdicts(result)
    if as_json:
        output.result(result)
        return
    rows = [
        [name, one["figure"], one["target"], "met" if one["met"] else "NOT met"]
        for name, one in result["targets"].items()
    ]
    output.table(["what", "measured", "target", ""], rows)


def _demand_browser() -> None:
    if importlib.util.find_spec("playwright") is None:
        missing, way_out = "the package playwright", "install requirements-dev.lock, see CONTRIBUTING.md"
    else:
        from lab.bench.pages import chromium

        if chromium() is not None:
            return
        missing, way_out = "Chromium", "apt-get install -y chromium fonts-dejavu-core"
    raise Trouble(
        "bench_browser_missing",
        "There is no browser to measure the pages in.",
        why=f"{missing} is not installed",
        way_out=way_out,
        exit_code=Exit.MISSING,
    )


def _await_waiting(first: httpx2.Client, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (waiting := first.get("/v1/recommendations/summary").json()["waiting"]) != wanted:
        if time.monotonic() > deadline:
            raise Trouble(
                "bench_queue_differs",
                f"{waiting:,} lines wait in the queue where {wanted:,} should.",
                why=f"the services did not carry them within {PATIENCE_SECONDS:.0f} s",
                way_out="look into the logs of approvals and gateway in the bench's data folder",
            )
        time.sleep(0.5)


def _ids(first: httpx2.Client, count: int) -> list[str]:
    """Recommendations that wait, as many as are asked for."""
    found: list[str] = []
    cursor: str | None = None
    while len(found) < count:
        asked: dict[str, str | int] = {"limit": 200, "sort": "item"}
        if cursor is not None:
            asked["cursor"] = cursor
        page = first.get("/v1/recommendations", params=asked).json()
        found += [one["recommendation_id"] for one in page["items"]]
        cursor = page["next_cursor"]
    return found[:count]


def _working(
    local: LocalPlatform, settings: ServiceSettings, tokens: list[str], lines: list[str], contested: str
) -> dict[str, Any]:
    """Fifty planners at work, and whether every decision they were told is on its topic, once."""
    owned = {name: local.ledger.find(name) for name in (*SERVICES, "kafka", "postgres")}
    pids = {name: one.pid for name, one in owned.items() if one is not None}
    before = processor_seconds(pids)
    output.say(f"{len(tokens)} planners decide {len(lines)} lines")
    told, recorded = uvloop.run(planners.measure(local.gateway_url, tokens, lines, contested))
    used = {name: round(seconds - before[name], 1) for name, seconds in processor_seconds(pids).items()}
    published = asyncio.run(full_queue.decisions_told(settings, recorded, PATIENCE_SECONDS))
    lost = sorted(recorded - set(published))
    twice = sorted(one for one in recorded if published.count(one) > 1)
    return told | {
        "recorded": len(recorded),
        "lost": len(lost),
        "published_twice": len(twice),
        "processor_seconds": used,
    }


def verdicts(result: dict[str, Any]) -> dict[str, Any]:
    """Each target with the figure and whether it was met."""
    pages, work = result["pages"], result["planners"]
    figures = {
        "queue_usable_ms": pages["usable"]["later_ms"]["p50"],
        "scroll_p95_ms": pages["scroll"]["p95"],
        "filter_p95_ms": pages["filter"]["p95"],
        "action_echo_p95_ms": pages["echo"]["p95"],
        "page_compressed_kb": pages["page_kb"]["compressed"],
        "review_median_seconds": pages["review"]["median_seconds"],
        "reads_p99_ms": work["reads"]["milliseconds"]["p99"],
        "decisions_p99_ms": work["decisions"]["milliseconds"]["p99"],
        "decisions_lost": work["lost"] + work["published_twice"] + sum(work["refused"].values()),
    }
    return {
        name: {"figure": figure, "target": TARGETS[name], "met": figure <= TARGETS[name]}
        for name, figure in figures.items()
    }


def folder_of(data_dir: Path | None) -> Path:
    """A folder of its own, so that nothing else is disturbed."""
    return data_dir or Path(".countersign-bench-ui")
