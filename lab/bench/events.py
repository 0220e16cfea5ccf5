"""Sales events from Kafka to their committed effect: ledger and position in policy, daily demand in the forecaster.

The backlog is written while both are stopped, then both are started together, beside everything else that runs. The
clock runs from the first committed batch to the last one, so that imports are not counted; every sum is checked
afterwards.
"""

from typing import Any

from cli.platform.local import LocalPlatform
from lab.bench import peers
from lab.bench.backlog import catch_up, prepare
from lab.bench.load import Load
from lab.world.build import World
from schemas.topics import SALES

MEASURED = ("policy", "forecaster")


def measure(local: LocalPlatform, world: World, count: int, say: Any) -> dict[str, Any]:
    """Events per second of both consumers side by side, and of the peer; raises BooksDiffer when a sum is wrong."""
    prepare(local, world, say)
    caught = catch_up(local, Load.of(world, count), say, MEASURED)
    peer = peers.run("faust_table", local.kafka_bootstrap, SALES.on(local.namespace), say)
    rates = caught.pop("readers")
    slowest = caught["events_per_second"]
    return {
        **caught,
        "items": len(world.items),
        **rates,
        "peer_faust_table": peer,
        "ratio_to_peer": round(slowest / peer["events_per_second"], 1) if peer["events_per_second"] else None,
        "sums_checked": True,
    }
