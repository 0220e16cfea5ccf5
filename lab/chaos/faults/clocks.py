"""Faults of clocks: the wall clock under a service jumps while it runs, by libfaketime and a file that says how far."""

import os
from importlib.util import find_spec
from pathlib import Path

from cli.platform.databases import SERVICES
from lab.chaos.faults.scene import Fault, Scene, Skipped

# From the package `libfaketime`, else where Debian's package of that name puts it.
_IN_PACKAGE = "vendor/libfaketime/src/libfaketime.so.1"
_OF_SYSTEM = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
RIGHT = "+0"
JUMPS = ("+1d", "-1d", "+90m", "-40s")
LASTS_SECONDS = (2.0, 4.0)


def environment(told: Path) -> dict[str, str]:
    """What a process needs for its wall clock to follow the file `told`; its steady clock goes on. Raises Skipped."""
    return {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_CACHE_DURATION": "1",  # seconds until it looks at the file again
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _library() -> Path:
    spec = find_spec("libfaketime")
    found = Path(spec.origin).parent / _IN_PACKAGE if spec is not None and spec.origin else _OF_SYSTEM
    if not found.exists():
        raise Skipped("needs libfaketime (pip install libfaketime, or apt-get install libfaketime)")
    return found


def jump(told: Path, by: str) -> None:
    """Let the clock of the processes that follow the file be off by so much, all of a sudden."""
    told.parent.mkdir(parents=True, exist_ok=True)
    draft = told.with_suffix(".draft")
    draft.write_text(f"{by}\n")
    os.replace(draft, told)


def clock_jumps(scene: Scene) -> None:
    """Two services' clocks go a day forward, a day back and less, each for itself; they stay wrong at the end."""
    files = {name: scene.stand.data_dir / "clocks" / name for name in scene.rng.sample(SERVICES, 2)}
    for name, told in files.items():
        follows = environment(told)
        jump(told, RIGHT)
        scene.stand.kill(name)
        scene.killed(name)
        scene.stand.launch(name, **follows)
    for name in files:
        scene.stand.await_ready(name)
    for _ in JUMPS:
        for told in files.values():
            jump(told, scene.rng.choice(JUMPS))
            scene.counts["clock jumps"] += 1
        scene.wait(*LASTS_SECONDS)


FAULTS = (Fault("clock-jumps", 19, "the clocks of two services jump by up to a day", clock_jumps),)
