"""The five services as five processes: started with their settings, watched until ready, stopped in order."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import Trouble
from cli.platform.ownership import Ledger, Owned, tail

ROOT = Path(__file__).resolve().parents[2]
# Those that others call come up first; the gateway, which calls all of them, last.
START_ORDER = ("audit", "approvals", "policy", "forecaster", "gateway")
# A cold start imports LightGBM and pandas on two busy cores; past this a person should read the log.
READY_SECONDS_MAX = 120.0
# Never handed to a service: it has its own role, and administrators' rights are none of its business.
_WITHHELD = ("COUNTERSIGN_DATABASE_ADMIN_URL", "COUNTERSIGN_ROOT", "COUNTERSIGN_VENV", "COUNTERSIGN_PYTHON")


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """One service on this machine: how it is started and where its words go."""

    name: str
    port: int
    environment: Callable[[], Mapping[str, str]]  # asked for when it starts: until then no secret is made
    ledger: Ledger
    logs: Path

    @property
    def log(self) -> Path:
        """One JSON line per thing that happened."""
        return self.logs / f"{self.name}.jsonl"

    @property
    def errors(self) -> Path:
        """What Python itself said: tracebacks of a start that failed."""
        return self.logs / f"{self.name}.stderr.log"

    @property
    def url(self) -> str:
        """Its address on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> Owned | None:
        """The process of this service that this data folder started, if it lives."""
        owned = self.ledger.find(self.name)
        return owned if owned is not None and owned.is_alive else None

    def start(self) -> Owned:
        """Start it unless it runs; does not wait."""
        already = self.running()
        if already is not None:
            return already
        owned, _ = self.ledger.start(
            self.name,
            [sys.executable, "-m", f"services.{self.name}.main"],
            port=self.port,
            out=self.log,
            err=self.errors,
            cwd=ROOT,
            env=_inherited() | dict(self.environment()),
        )
        return owned

    def stop(self, *, grace_seconds: float, say: Callable[[str], None] = lambda _: None) -> bool:
        """TERM, then KILL after `grace_seconds`. False when it was not running."""
        owned = self.ledger.find(self.name)
        stopped = owned is not None and owned.stop(grace_seconds=grace_seconds, on_kill=say)
        self.ledger.forget(self.name)
        return stopped

    def kill(self) -> None:
        """SIGKILL to the service and its children, as a crash would end it."""
        owned = self.ledger.find(self.name)
        if owned is not None:
            owned.kill()

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """What `/readyz` says: ready or not, and its parts. Not reachable counts as not ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=3) as answer:  # noqa: S310 - our own http address
                return True, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    return False, json.loads(error.read())
                except ValueError:
                    return False, {"error": f"HTTP {error.code}"}
        except (OSError, ValueError) as error:
            return False, {"error": str(error)}

    def await_ready(self, *, seconds: float = READY_SECONDS_MAX) -> float:
        """Wait until this very process is ready; returns the seconds it took.

        Raises Trouble: service_ended, service_not_ready.
        """
        started = time.monotonic()
        while True:
            ready, facts = self.readiness()
            ours = self.running()
            if ours is None:
                raise self.ended()
            if ready and facts.get("pid") == ours.pid:  # on a port that is taken, somebody else answers
                return time.monotonic() - started
            if time.monotonic() - started > seconds:
                raise self._trouble("service_not_ready", f"is not ready after {seconds:.0f} s", json.dumps(facts)[:600])
            time.sleep(0.1)

    def ended(self) -> Trouble:
        """What to tell when the process is gone."""
        said = tail(self.errors, 6)
        if not said:
            last = tail(self.log, 1)
            event = json.loads(last).get("event") if last.startswith("{") and last.endswith("}") else None
            said = f"nothing on standard error, so it was ended from outside or stopped; its last event: {event}"
        return self._trouble("service_ended", "has ended", said)

    def _trouble(self, code: str, what: str, why: str) -> Trouble:
        return Trouble(
            code,
            f"The service {self.name} {what}.",
            why=why,
            way_out=f"read {self.log} and {self.errors.name} beside it; `./run doctor` checks this machine; start it "
            f"again with `./run restart {self.name}`",
        )


def _inherited() -> dict[str, str]:
    """Our environment without what a service must not have, and with this checkout importable."""
    kept = {key: value for key, value in os.environ.items() if key not in _WITHHELD}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
