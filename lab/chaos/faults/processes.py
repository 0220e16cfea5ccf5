"""Faults of the five services' own processes."""

import time

from cli.platform.databases import SERVICES
from cli.platform.ownership import stop_together
from kit import failpoints
from lab.chaos.faults.scene import Fault, Scene
from lab.chaos.faults.tracing import tampering

DOWN_SECONDS = (0.1, 1.5)
# Longer than the session timeout of the group members (6 s): the partitions have gone to nobody, or to another.
PAUSE_SECONDS = (7.0, 9.0)
FAILPOINT_SECONDS_MAX = 22.0
SYSCALL_SECONDS_MAX = 10.0


def kill(scene: Scene) -> None:
    """kill -9 of one to three services at once, at a random moment."""
    victims = scene.rng.sample(SERVICES, scene.rng.choice((1, 1, 2, 3)))
    for name in victims:
        scene.stand.kill(name)
        scene.killed(name)
    scene.wait(*DOWN_SECONDS)
    for name in victims:
        scene.stand.launch(name)


def failpoint(scene: Scene) -> None:
    """A service that dies between two steps: started with a failpoint, it ends itself at the n-th pass."""
    point = scene.rng.choice(sorted(failpoints.POINTS))
    name = scene.any_service(*failpoints.POINTS[point])
    scene.stand.kill(name)
    scene.killed(name)
    scene.stand.launch(name, FAIL_AT=f"{point}:{scene.rng.choice((1, 1, 2, 3, 5))}")
    deadline = time.monotonic() + FAILPOINT_SECONDS_MAX
    while scene.stand.pid(name) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    if scene.stand.pid(name) is None:
        scene.counts[f"failpoint {point}"] += 1
        scene.killed(name)
    else:  # the point was not passed often enough; the process goes on as if nothing were
        scene.stand.kill(name)
        scene.killed(name)
    scene.stand.launch(name)


def terminate(scene: Scene) -> None:
    """SIGTERM under load, with the grace an orchestrator gives."""
    name = scene.any_service()
    owned = scene.stand.service(name).running()
    if owned is not None:
        forced: list[str] = []
        stop_together([owned], grace_seconds=10.0, on_kill=forced.append)
        scene.counts["forced" if forced else "drained"] += 1
    scene.stand.launch(name)


def outage(scene: Scene) -> None:
    """All five are gone while the world goes on: a backlog."""
    for name in SERVICES:
        scene.stand.kill(name)
        scene.killed(name)
    scene.wait(5.0, 10.0)
    for name in SERVICES:
        scene.stand.launch(name)


def pause(scene: Scene) -> None:
    """SIGSTOP beyond the session timeout, then SIGCONT: a zombie that believes it still owns its partitions."""
    name = scene.any_service()
    scene.stand.pause(name)
    try:
        scene.wait(*PAUSE_SECONDS)
    finally:
        scene.stand.wake(name)


def zombie(scene: Scene) -> None:
    """The same, while another process of the service takes over: the zombie's writes must be fenced."""
    name = scene.any_service("forecaster", "policy", "approvals", "audit")
    second = scene.stand.second(name)
    scene.stand.pause(name)
    try:
        second.start()
        scene.wait(*PAUSE_SECONDS)
    finally:
        scene.stand.wake(name)
    scene.wait(1.0, 3.0)
    second.kill()
    scene.killed(name)


def rebalances(scene: Scene) -> None:
    """Members that come and go: three times another process joins the group and leaves it."""
    name = scene.any_service("forecaster", "policy", "approvals", "audit", "gateway")
    for _ in range(3):
        second = scene.stand.second(name)
        second.start()
        scene.wait(3.5, 5.0)
        if scene.rng.random() < 0.5:
            second.kill()
            scene.killed(name)
        else:
            second.stop(grace_seconds=10.0)


def syscall(scene: Scene) -> None:
    """SIGKILL at the n-th sendto or write of a service, wherever in its work that is."""
    name = scene.any_service("policy", "approvals", "audit")
    pid = scene.stand.pid(name)
    if pid is None:
        return
    call = scene.rng.choice(("sendto", "write", "epoll_wait"))
    with tampering(call, f"signal=KILL:when={scene.rng.randint(1, 60)}", [pid]):
        deadline = time.monotonic() + SYSCALL_SECONDS_MAX
        while scene.stand.pid(name) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        scene.counts[f"{call} {'cut' if scene.stand.pid(name) is None else 'not reached'}"] += 1
    scene.stand.kill(name)
    scene.killed(name)
    scene.stand.launch(name)


FAULTS = (
    Fault("kill", 1, "kill -9 of one to three services", kill),
    Fault("failpoint", 2, "death between two steps", failpoint),
    Fault("syscall", 3, "death at a system call", syscall),
    Fault("terminate", 4, "SIGTERM under load", terminate),
    Fault("outage", 5, "all services down, a backlog", outage),
    Fault("pause", 20, "SIGSTOP beyond the session timeout", pause),
    Fault("zombie", 31, "two processes, the first one paused: two relays", zombie),
    Fault("rebalances", 29, "members that come and go", rebalances),
)
