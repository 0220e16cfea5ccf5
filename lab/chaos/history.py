"""What the clients saw, in Jepsen's operation shape: invoke, then ok, fail or info. One JSON object a line.

`fail` means that it certainly did not happen. Whoever does not know (a timeout, a cut connection) writes `info`.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["invoke", "ok", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Op:
    """One line of the history. `time` is in nanoseconds since the history began; `value` depends on `f`."""

    index: int
    time: int
    process: str
    type: Kind
    f: str
    value: Any
    error: str | None = None


class History:
    """Appends operations to a file, from any thread, whole lines only."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._began = time.monotonic_ns()
        self._next = 0

    def add(self, process: str, kind: Kind, f: str, value: Any, error: str | None = None) -> Op:
        """Write one operation down."""
        with self._lock:
            op = Op(self._next, time.monotonic_ns() - self._began, process, kind, f, value, error)
            self._next += 1
            self._file.write(json.dumps(asdict(op), default=str, separators=(",", ":")) + "\n")
            self._file.flush()
        return op

    def close(self) -> None:
        """Nothing is written after this."""
        with self._lock:
            self._file.close()


def read(path: Path) -> list[Op]:
    """All operations of a file. A last line that was cut off (a killed run) is left out."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        try:
            found.append(Op(**json.loads(line)))
        except ValueError:
            break
    return found


def acknowledged(ops: Iterable[Op], f: str) -> Iterator[Op]:
    """The operations of this name whose caller was told that they happened."""
    return (op for op in ops if op.f == f and op.type == "ok")
