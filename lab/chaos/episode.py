"""One seed: a fresh stand, a crowd, faults by the seed's chance, calm, evidence, verdict."""

import asyncio
import contextlib
import pickle
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cli import demo_access
from cli.demo_history import behind
from cli.platform.databases import SERVICES
from kit.settings import ServiceSettings
from lab.chaos import checks, collect, replay
from lab.chaos.checks import orders
from lab.chaos.clients import Crowd
from lab.chaos.evidence import Evidence, Violation
from lab.chaos.faults import FAULTS
from lab.chaos.faults.scene import Scene, Skipped
from lab.chaos.history import History
from lab.chaos.stand import Stand
from lab.chaos.world import TENANTS, Shop
from lab.world.wire import feed

Say = Callable[[str], None]
# What the matrix allows on a loaded machine before it calls a system not healed.
RECOVERY_SECONDS_MAX = 120.0
CALM_SECONDS_MAX = 150.0
LOOK_SECONDS = 0.3
STILL_LOOKS = 4
PAUSE_SECONDS = (0.5, 2.0)


@dataclass(slots=True)
class Episode:
    """What one seed came to."""

    seed: int
    injections: list[tuple[str, float]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    planted: list[Violation] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    load: float = 0.0

    @property
    def kills(self) -> int:
        """Processes that were killed."""
        return sum(count for name, count in self.counts.items() if name.startswith("kill "))

    def as_dict(self) -> dict[str, Any]:
        """For the report and for the file of the run."""
        return {
            "seed": self.seed,
            "kills": self.kills,
            "seconds": round(self.seconds, 1),
            "load_average": round(self.load, 1),
            "injections": [[name, round(took, 2)] for name, took in self.injections],
            "skipped": self.skipped,
            "counts": dict(sorted(self.counts.items())),
            "figures": self.figures,
            "facts": self.facts,
            "violations": [[one.invariant, one.kind, one.what] for one in self.violations],
        }


def play(
    folder: Path,
    seed: int,
    *,
    minutes: float | None,
    faults: Sequence[str],
    say: Say,
    keep: bool = False,
    tamper: Callable[[Stand], None] | None = None,
) -> Episode:
    """Play one seed. `minutes` None: every fault once, in an order by chance. `tamper`: plants bugs in the real tables and
    topics after the verdict; what is found then is in `planted`. The folder is removed when all promises held, unless `keep`."""
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    episode = Episode(seed)
    rng = random.Random(f"{seed}/nemesis")
    with opened(folder, say, small_disks=any(name.startswith("disk-full") for name in faults)) as stand:
        crowd = prepare(stand, seed, say)
        scene = Scene(stand, crowd, rng, episode.counts, episode.figures)
        crowd.start()
        try:
            _hurt(scene, episode, list(faults), minutes, say)
            stand.revive()
            crowd.drain()
            calm(stand, say)
        finally:
            crowd.stop()
        if "replay" in faults:
            episode.violations += replay.replay_all(stand, rng, lambda: calm(stand, say), episode.counts)
        crowd.history.close()
        say("taking evidence")
        evidence = collect.evidence_of(stand, list(TENANTS), episode.injections)
        evidence.recovery_seconds_max = RECOVERY_SECONDS_MAX
        # So that it can be looked at, and checked again, without the servers: `pickle.load`, then `checks.check`.
        (folder / "evidence.pickle").write_bytes(pickle.dumps(evidence))
        episode.violations += checks.check(evidence)
        episode.facts = facts_of(evidence)
        if tamper is not None:
            tamper(stand)
            episode.planted = checks.check(collect.evidence_of(stand, list(TENANTS), episode.injections))
    episode.seconds, episode.load = time.monotonic() - started, psutil.getloadavg()[0]
    if not episode.violations and not keep:
        stand.postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)
    return episode


@contextlib.contextmanager
def opened(folder: Path, say: Say, *, small_disks: bool = False) -> Any:
    """A stand that runs, for the length of a `with` block."""
    from lab.chaos import disks

    stand = Stand(folder, say)
    stand.folder.claim()
    if small_disks:
        disks.mount(stand, say)
    try:
        stand.open()
        yield stand
    finally:
        stand.close()
        disks.unmount(stand)


def prepare(stand: Stand, seed: int, say: Say) -> Crowd:
    """Two tenants with people, keys, master data, a past and open recommendations."""
    shops = [Shop(tenant, seed) for tenant in TENANTS]
    accesses = {shop.tenant: demo_access.ensure(stand, shop.tenant) for shop in shops}
    settings = ServiceSettings(namespace=stand.namespace, kafka_bootstrap=stand.kafka_bootstrap)
    for shop in shops:
        asyncio.run(feed(settings, [*shop.master_data(), *shop.past()]))
    crowd = Crowd(stand, History(stand.data_dir / "history.jsonl"), shops, accesses, seed)
    calm(stand, say)
    return crowd


def _hurt(scene: Scene, episode: Episode, faults: list[str], minutes: float | None, say: Say) -> None:
    """Fault after fault, each followed by the system's own recovery."""
    plan = [name for name in faults if name in FAULTS]
    scene.rng.shuffle(plan)
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    done = 0
    while plan and (done < len(plan) if deadline is None else time.monotonic() < deadline):
        name = plan[done] if deadline is None else scene.rng.choice(plan)
        done += 1
        scene.wait(*PAUSE_SECONDS)
        say(f"fault {done}: {name}")
        try:
            FAULTS[name].strike(scene)
        except Skipped as reason:
            episode.skipped[name] = str(reason)
            continue
        took = recovery(scene.stand, say)
        episode.injections.append((name, took))
        say(f"  caught up after {took:.1f} s")
        if scene.crowd.failures:
            raise scene.crowd.failures[0]


def recovery(stand: Stand, say: Say) -> float:
    """Seconds until every service is ready and has handled all that was there when the fault ended."""
    started = time.monotonic()
    stand.revive()
    ends = stand.ends()
    while time.monotonic() - started <= RECOVERY_SECONDS_MAX:
        stand.revive()
        reasons = stand.waits_for(ends)
        if not reasons:
            return time.monotonic() - started
        time.sleep(LOOK_SECONDS)
    say(f"  not caught up: {'; '.join(reasons[:4])}")
    return time.monotonic() - started


def calm(stand: Stand, say: Say) -> None:
    """Wait until nothing moves any more: all handled, forecast, published, released and signed. At most for a while: what
    is left over then is evidence."""
    held = "select count(*) as n from approvals.lines where state in ('by_rule', 'approved', 'amended')"
    unsigned = "select count(*) as n from audit.heads where size > last_signed_size"
    parked = "select (select count(*) from policy.parked_events) + (select count(*) from forecaster.parked_events) as n"
    due = "select (select count(*) from forecaster.due_closings) + (select count(*) from forecaster.due_items) as n"
    deadline, still = time.monotonic() + CALM_SECONDS_MAX, 0
    while still < STILL_LOOKS and time.monotonic() < deadline:
        waits: dict[str, int | None] = {name: behind(stand, name) for name in SERVICES}
        for what, query in (("held", held), ("unsigned", unsigned), ("due", due), ("parked", parked)):
            waits[what] = stand.query(query)[0]["n"]
        if not any(waits.values()):
            # A service knows how far it is in its own partitions; those of a member that has just died are nobody's yet.
            waits["unread"] = len(stand.waits_for(stand.ends()))
        still = still + 1 if all(count == 0 for count in waits.values()) else 0
        time.sleep(LOOK_SECONDS)
    if still < STILL_LOOKS:
        say(f"not calm after {CALM_SECONDS_MAX:.0f} s: {waits}")


def facts_of(evidence: Evidence) -> dict[str, int]:
    """How much there was to check."""
    ops = evidence.history
    return {
        "operations": len(ops),
        "unknown": sum(1 for op in ops if op.type == "info"),
        "events": sum(len(evidence.records[topic]) for topic in ("sales.v1", "stock.v1")),
        "ledger": len(evidence.rows("policy.ledger")),
        "decisions": len(evidence.records["decisions.v1"]),
        "orders": len(evidence.records["orders.v1"]),
        "audit_entries": len(evidence.rows("audit.entries")),
        "checkpoints": len(evidence.rows("audit.checkpoints")),
        "dead_letters": sum(len(records) for name, records in evidence.records.items() if name.endswith(".dead")),
        "copies": orders.copies(evidence),
    }
