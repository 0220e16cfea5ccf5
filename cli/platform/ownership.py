"""Which processes are ours: a pid alone is reused by the system, so a pid counts only with its start time."""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

import psutil

from cli.signals import held

# Two readings of one process' start time differ by less than a clock tick; a reused pid is seconds away.
_SAME_START_SECONDS = 0.5
KILL_SECONDS = 10.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Owned:
    """A process that we started, so that another terminal can find it and nobody ends a stranger's."""

    name: str
    pid: int
    created_at: float
    port: int | None = None

    @classmethod
    def of(cls, name: str, pid: int, port: int | None = None) -> Self:
        """Remember the process that has `pid` now. Raises psutil.NoSuchProcess when it has ended already."""
        return cls(name=name, pid=pid, created_at=psutil.Process(pid).create_time(), port=port)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Read back what `as_dict` wrote."""
        return cls(fields["name"], fields["pid"], fields["created_at"], fields.get("port"))

    def as_dict(self) -> dict[str, Any]:
        """For the state file."""
        return asdict(self)

    def process(self) -> psutil.Process | None:
        """The living process, or None when it has ended or its pid now belongs to somebody else."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created_at) > _SAME_START_SECONDS:
                return None
            return process if _runs(process) else None
        except psutil.NoSuchProcess:
            return None

    @property
    def is_alive(self) -> bool:
        """Whether the very process we started still runs."""
        return self.process() is not None

    def stop(self, *, grace_seconds: float, on_kill: Callable[[str], None] = lambda _: None) -> bool:
        """TERM, wait up to `grace_seconds`, then KILL the process and its children. False when nothing ran."""
        return stop_together([self], grace_seconds=grace_seconds, on_kill=on_kill) != []

    def kill(self) -> None:
        """SIGKILL to the process and its children; returns when they are gone."""
        process = self.process()
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [*process.children(recursive=True), process]
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            _await_end(family, KILL_SECONDS)


def stop_together(
    processes: Sequence[Owned], *, grace_seconds: float, on_kill: Callable[[str], None] = lambda _: None
) -> list[str]:
    """TERM to all at once, then KILL whoever lives after `grace_seconds`; names of those that ran.

    An interruption while waiting (Ctrl-C the second time) kills at once what is left, then goes on to the caller.
    """
    living = [(owned, process) for owned in processes if (process := owned.process()) is not None]
    for _, process in living:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
    try:
        late = _await_end([process for _, process in living], grace_seconds)
    except BaseException:
        for owned, _ in living:
            owned.kill()
        raise
    for owned, process in living:
        if process in late:
            on_kill(f"{owned.name} (pid {owned.pid}) did not stop in {grace_seconds:.0f} s and is killed")
            owned.kill()
    return [owned.name for owned, _ in living]


def _await_end(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended, at most this long; those that still run.

    One that has ended and whose parent, in another terminal, has not asked for its status yet has ended all the same.
    """
    left, deadline = list(processes), time.monotonic() + seconds
    while left and (remaining := deadline - time.monotonic()) > 0:
        _, left = psutil.wait_procs(left, timeout=min(remaining, LOOK_SECONDS))
        left = [one for one in left if _runs(one)]
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# Handles of what this process started. They outlive the function that started it: an abandoned handle would warn, and
# a child nobody waits for would stay behind as a zombie.
_children: list[subprocess.Popen[bytes]] = []


@atexit.register
def _leave_running() -> None:
    """What still runs at the end of this process is meant to; its handle would warn that nobody waited for it."""
    for child in _children:
        if child.poll() is None:
            child.returncode = 0


def spawn(
    command: Sequence[str],
    *,
    out: Path,
    err: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server process that writes to log files, in a session of its own.

    In its own session it does not get the terminal's Ctrl-C: that is ours to pass on, in our order.
    """
    with open_log(out) as out_file, open_log(err or out) as err_file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=err_file,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
    _children.append(process)
    return process


class Ledger:
    """A directory of `<name>.pid.json` files: what this data directory has started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, owned: Owned) -> None:
        """Write it down, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{owned.name}.pid.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(owned.as_dict()))
        os.replace(partial, path)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        out: Path,
        err: Path | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> tuple[Owned, "subprocess.Popen[bytes]"]:
        """Start a server process and write it down: an interruption in between would leave it running unknown."""
        with held():
            process = spawn(command, out=out, err=err, cwd=cwd, env=env)
            owned = Owned.of(name, process.pid, port)
            self.record(owned)
        return owned, process

    def find(self, name: str) -> Owned | None:
        """What was started under `name`, alive or not; None when nothing was."""
        path = self._folder / f"{name}.pid.json"
        try:
            return Owned.from_dict(json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def names(self) -> list[str]:
        """Every recorded name, in alphabetical order."""
        return sorted(path.name.removesuffix(".pid.json") for path in self._folder.glob("*.pid.json"))

    def forget(self, name: str) -> None:
        """Drop the record; fine when there is none."""
        (self._folder / f"{name}.pid.json").unlink(missing_ok=True)


def open_log(path: Path) -> IO[bytes]:
    """Open a log file for appending, its folder made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message; empty when there is no log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
