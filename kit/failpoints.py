"""Places where a process can be told to die: `FAIL_AT=name:n` ends it, as kill -9 would, when it passes there the n-th time.

Only the fault run sets it. Without it a point costs one comparison.
"""

import itertools
import os

# point -> the services that pass it
_ALL = ("forecaster", "policy", "approvals", "audit", "gateway")
POINTS: dict[str, tuple[str, ...]] = {
    "consumer.polled": _ALL,
    "consumer.positions-locked": _ALL,
    "consumer.handled": _ALL,
    "consumer.outbox-filled": _ALL,
    "consumer.positions-moved": _ALL,
    "consumer.committed": _ALL,
    "relay.leading": ("forecaster", "policy", "approvals", "audit"),
    "relay.sent": ("forecaster", "policy", "approvals", "audit"),
    "relay.published": ("forecaster", "policy", "approvals", "audit"),
    "relay.marked": ("forecaster", "policy", "approvals", "audit"),
    "transaction.before-commit": _ALL,
    "transaction.after-commit": _ALL,
    "audit.head-locked": ("audit",),
    "audit.entries-written": ("audit",),
    "audit.head-moved": ("audit",),
    "audit.checkpoint-stored": ("audit",),
}
# What the shell says of a process that died of SIGKILL.
EXIT_CODE = 137


def _wanted(text: str) -> tuple[str, int] | None:
    name, _, times = text.partition(":")
    if not name:
        return None
    if name not in POINTS or not (times or "1").isdecimal() or int(times or 1) < 1:
        raise ValueError(f"FAIL_AT={text}: needs name:n with n >= 1 and a name among {', '.join(sorted(POINTS))}")
    return name, int(times or 1)


_armed = _wanted(os.environ.get("FAIL_AT", ""))
_passes = itertools.count(1)


def reach(name: str) -> None:
    """Pass a point; nothing follows when this is where the process was told to die."""
    if _armed is not None and _armed[0] == name and next(_passes) >= _armed[1]:
        os._exit(EXIT_CODE)
