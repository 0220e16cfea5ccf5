"""`./run bench ingest`: events a second that one gateway process takes over HTTP, beside a bare librdkafka producer.

Of the product only the gateway runs, with the broker and the database it needs: what is measured is the door, not how five
services share two cores.
"""

import importlib.util
from pathlib import Path
from typing import Any

import psutil

from cli import demo_access, output
from cli.errors import Exit, Trouble
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely
from kit.settings import ServiceSettings
from lab.bench.machine import describe

TENANT = "bench"
# Five rounds of a hundred thousand: in less than a second the bare producer says more of how warm the broker is.
EVENTS = 500_000
TARGETS = {"events_per_second": 20_000, "ratio_to_bare_producer": 0.33}


def measure(local: LocalPlatform, count: int | None, *, as_json: bool) -> None:
    """Start what is needed, measure, stop it again, and say the figures."""
    if importlib.util.find_spec("confluent_kafka") is None:
        raise Trouble(
            "bench_peer_missing",
            "The bare producer to compare with is not installed.",
            why="the package confluent-kafka is not there; it belongs to the development packages",
            way_out="install requirements-dev.lock, see CONTRIBUTING.md",
            exit_code=Exit.MISSING,
        )
    from lab.bench import ingest  # only now: it imports the peer

    result: dict[str, Any] = {"machine": describe()}
    with demo_access.plain_refusals(), ending_politely():
        try:
            local.start(("gateway",))
            access = demo_access.ensure(local, TENANT)
            settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
            owned = {name: local.ledger.find(name) for name in ("gateway", "kafka")}
            pids = {name: one.pid for name, one in owned.items() if one is not None}
            seat = ingest.Seat(settings, local.gateway_url, access.api_key, TENANT, pids)
            load = psutil.getloadavg()[0]
            result["ingest"] = ingest.measure(seat, count or EVENTS, output.say) | {"load_average": round(load, 2)}
        finally:
            if local.started:
                local.stop_started()
    result["targets"] = {
        name: {"figure": result["ingest"][name], "target": target, "met": result["ingest"][name] >= target}
        for name, target in TARGETS.items()
    }
    if as_json:
        output.result(result)
        return
    rows = [
        [name, one["figure"], one["target"], "met" if one["met"] else "NOT met"]
        for name, one in result["targets"].items()
    ]
    output.table(["what", "measured", "target", ""], rows)


def folder_of(data_dir: Path | None) -> Path:
    """A folder of its own: the services of the other measurements are not started, and their tenants not disturbed."""
    return data_dir or Path(".countersign-bench-ingest")
