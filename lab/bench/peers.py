"""The peers: other ways to do the same sums over the same records, each in a process of its own, alone on the machine.

None of them promises what the product does; `says` tells what each leaves out. A peer that is not installed is named
with the reason instead of a figure.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import orjson

from cli.platform.processes import ROOT
from lab.bench.peer_environment import INSTALL_SECONDS_MAX, NOT_INSTALLED

SECONDS = 25
# Module, and what a reader of the ratio must know.
PEERS = {
    "faust_table": (
        "lab.bench.faust_peer",
        "a plain Faust table; changelog in Kafka; a crash counts again what was counted since the last commit",
    ),
    "quix_streams": (
        "lab.bench.quix_peer",
        "Quix Streams with state and a changelog, at least once; a crash counts again",
    ),
    "aiokafka_loop": (
        "lab.bench.plain_peer",
        "a bare aiokafka loop into a dictionary, the limit; nothing is stored, a crash loses everything",
    ),
}


def run(name: str, bootstrap: str, topic: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Its events per second over `SECONDS`, counted from its first event on, or why it was skipped."""
    module, says = PEERS[name]
    say(f"peer {name}, {SECONDS} s")
    command = [sys.executable, "-m", module, bootstrap, topic, str(SECONDS)]
    patience = SECONDS * 8 + INSTALL_SECONDS_MAX
    try:
        ended = subprocess.run(command, capture_output=True, cwd=ROOT, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        return {"skipped": f"It had not counted for {SECONDS} s after {patience} s.", "says": says}
    if ended.returncode == NOT_INSTALLED:
        return {"skipped": ended.stdout.decode().strip(), "says": says}
    if ended.returncode != 0:
        last = (ended.stderr.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        return {"skipped": f"It ended with code {ended.returncode} and said: {last}", "says": says}
    told: dict[str, Any] = orjson.loads(ended.stdout.splitlines()[-1])
    return {**told, "says": says}
