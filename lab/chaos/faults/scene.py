"""What a fault gets to work with, and what it says about itself."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from cli.platform.databases import SERVICES
from lab.chaos.clients import Crowd
from lab.chaos.stand import Stand


class Skipped(Exception):
    """This machine cannot do the fault; the sentence says what it would need."""


@dataclass(slots=True)
class Scene:
    """The stand, its clients, chance, and the counts that the report shows."""

    stand: Stand
    crowd: Crowd
    rng: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)

    def any_service(self, *among: str) -> str:
        """One of the five, or of those named, by chance."""
        return self.rng.choice(among or SERVICES)

    def wait(self, first: float, last: float) -> None:
        """Let the fault last, for a time by chance."""
        time.sleep(self.rng.uniform(first, last))

    def killed(self, *names: str) -> None:
        """Count processes that were killed."""
        for name in names:
            self.counts[f"kill {name}"] += 1


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` hurts, lasts and heals; when it returns, nothing holds the system back but itself. `row` is RELIABILITY's."""

    name: str
    row: int
    says: str
    strike: Callable[[Scene], None]
