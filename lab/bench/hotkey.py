"""Nine sales in ten name one item: the rate against the one of sales spread evenly, both measured in this run.

Everything of an item stays in order on one partition, so a hot item leaves the other partitions idle; what a batch does
to one item is summed before it is written, so it need not be slower.
"""

from typing import Any

from cli.platform.local import LocalPlatform
from lab.bench.backlog import catch_up, prepare
from lab.bench.load import Load
from lab.world.build import World

HOT_SHARE = 0.9


def measure(local: LocalPlatform, world: World, count: int, say: Any) -> dict[str, Any]:
    """Both rates and their ratio; raises BooksDiffer when a sum is wrong. Each twice, in turns, and the better one counts: what
    else the machine does slows a run and never helps one."""
    prepare(local, world, say)
    runs = {}
    for name, share in (("even_1", 0.0), ("hot_1", HOT_SHARE), ("even_2", 0.0), ("hot_2", HOT_SHARE)):
        say(f"{name.replace('_', ' ')}: {count:,} sales")
        runs[name] = catch_up(local, Load.of(world, count, hot_share=share), say)
    even, hot = (max(runs[f"{kind}_{turn}"]["events_per_second"] for turn in (1, 2)) for kind in ("even", "hot"))
    return {
        "events": count,
        "hot_share": HOT_SHARE,
        "events_per_second_even": even,
        "events_per_second_hot": hot,
        "ratio": round(hot / even, 2),
        "readers": {name: run["readers"] for name, run in runs.items()},
        "processor_microseconds_per_event": {
            name: run["processor_microseconds_per_event"] for name, run in runs.items()
        },
        "sums_checked": True,
    }
