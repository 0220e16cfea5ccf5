"""Faults of the wires between services and stores, by our own proxy."""

import time
from collections.abc import Callable

from cli.platform.databases import SERVICES
from lab.chaos.faults.scene import Fault, Scene

# Beyond the members' session timeout of 6 s, within the patience of a client.
CUT_SECONDS = (7.0, 14.0)


def _holding(store: str, mode: str, first: float, last: float, seconds: float = 0.0) -> Callable[[Scene], None]:
    def strike(scene: Scene) -> None:
        victims = scene.rng.sample(SERVICES, scene.rng.choice((1, 2)))
        for name in victims:
            scene.stand.link(name, store, mode, seconds)
        try:
            scene.wait(first, last)
        finally:
            for name in victims:
                scene.stand.link(name, store, "pass")

    return strike


def answers_lost(scene: Scene) -> None:
    """Requests arrive, answers do not: what was committed is not known to be. From one store or the other."""
    _holding(scene.rng.choice(("kafka", "postgres")), "hold-answers", 2.0, 5.0)(scene)


def resets(scene: Scene) -> None:
    """Connections are reset again and again."""
    for _ in range(scene.rng.randint(5, 10)):
        scene.stand.link(scene.any_service(), scene.rng.choice(("kafka", "postgres")), "reset")
        scene.counts["resets"] += 1
        time.sleep(0.4)


FAULTS = (
    Fault("partition-kafka", 11, "services cut off from the broker", _holding("kafka", "hold", *CUT_SECONDS)),
    Fault("partition-postgres", 12, "services cut off from the database", _holding("postgres", "hold", *CUT_SECONDS)),
    Fault("answers-lost", 13, "answers of a store are lost after it did the work", answers_lost),
    Fault("slow-link", 14, "200 ms each way", _holding("kafka", "delay", 4.0, 8.0, 0.2)),
    Fault("resets", 15, "connections reset", resets),
    Fault(
        "slow-consumer", 21, "every statement takes half a second more", _holding("postgres", "delay", 6.0, 10.0, 0.5)
    ),
    Fault("refused", 11, "the broker refuses connections", _holding("kafka", "refuse", 2.0, 6.0)),
)
