"""The ERP's seat from outside: starts `lab.supply.seat` as a process of its own and keeps what it prints."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class SeatProcess:
    """A running seat. `close` ends it; it also ends by itself when this process does."""

    def __init__(self, bootstrap: str, topic: str, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.supply.seat", "--bootstrap", bootstrap, "--topic", topic],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        self._lines: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="seat", daemon=True)
        self._reader.start()

    def lines(self) -> list[dict[str, Any]]:
        """Everything the seat has read so far, in order."""
        with self._lock:
            return list(self._lines)

    def orders_of(self, recommendation_id: str) -> list[dict[str, Any]]:
        """Released orders that carry the recommendation."""
        return [
            one
            for one in self.lines()
            if one["type"] == "order.released.v1"
            and any(line["recommendation_id"] == recommendation_id for line in one["body"]["lines"])
        ]

    def close(self) -> None:
        """End the process and wait for it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._lock:
                self._lines.append(json.loads(line))
