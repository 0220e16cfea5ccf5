"""`./run up` as a person uses it: ready, killed and restarted parts, Ctrl-C, and a stop from another terminal."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.local import PORT_FIELDS, ROOT
from cli.platform.ports import any_free

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(400)]
PARTS = ("kafka", "postgres", "forecaster", "policy", "approvals", "audit", "gateway")


class Terminal:
    """A shell in a checkout with a data folder and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        own = {f"COUNTERSIGN_{field.upper()}": str(any_free()) for field in PORT_FIELDS}
        configured = ("COUNTERSIGN_KAFKA_BOOTSTRAP", "COUNTERSIGN_DATABASE_ADMIN_URL")
        kept = {key: value for key, value in os.environ.items() if key not in configured}
        path = f"{ROOT}:{ROOT / 'clients/python'}"
        self.environment = kept | own | {"COUNTERSIGN_DATA_DIR": str(folder / "data"), "PYTHONPATH": path}

    def type(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._command(words), env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """As a person's shell starts it: Ctrl-C is heard, also where these tests run in the background and hear none."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return self._started(words)
        finally:
            signal.signal(signal.SIGINT, before)

    def start_in_background(self, *words: str) -> "subprocess.Popen[str]":
        """As a script starts it with `&`: its shell keeps Ctrl-C from it."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return self._started(words)
        finally:
            signal.signal(signal.SIGINT, before)

    def _started(self, words: tuple[str, ...]) -> "subprocess.Popen[str]":
        out = (self.folder / "terminal.log").open("a")
        with out:
            return subprocess.Popen(self._command(words), env=self.environment, stdout=out, stderr=out, text=True)

    def said(self) -> str:
        return (self.folder / "terminal.log").read_text()

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.type("status", "--json").stdout))

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "cli", *words]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    folder = Path(tempfile.mkdtemp(prefix="countersign-up-"))
    folder.chmod(0o755)
    made = Terminal(folder)
    yield made
    made.type("reset", "--yes")
    shutil.rmtree(folder)


def wait_until(said: str, terminal: Terminal, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 240
    while said not in terminal.said():
        assert process.poll() is None, terminal.said()
        assert time.monotonic() < deadline, terminal.said()
        time.sleep(0.2)


def ended(process: "subprocess.Popen[str]", terminal: Terminal) -> int:
    """What it ended with; where it does not end, what it said instead."""
    try:
        return process.wait(120)
    except subprocess.TimeoutExpired:
        pytest.fail(f"it has not ended; it said:\n{terminal.said()}\nand its parts are\n{terminal.status()['parts']}")


def processes_of(terminal: Terminal) -> list[list[str]]:
    """Whatever runs with this terminal's data folder, by its environment or its words."""
    data = str(terminal.folder / "data")
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if data in process.environ().get("COUNTERSIGN_DATA_DIR", "") or any(data in word for word in words):
                found.append(words)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_killed_service_is_reported_restarted_and_ctrl_c_stops_everything_and_nothing_else(terminal: Terminal) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    process = terminal.start("up")
    try:
        wait_until("Ctrl-C stops it", terminal, process)
        before = terminal.status()
        assert before["ready"] is True
        assert set(before["parts"]) == set(PARTS)
        pids = {name: part["pid"] for name, part in before["parts"].items()}

        os.kill(pids["policy"], signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pids["policy"])] if psutil.pid_exists(pids["policy"]) else [], timeout=10)
        assert terminal.status()["parts"]["policy"]["state"] == "ended"
        assert terminal.type("restart", "policy").returncode == 0
        after = terminal.status()
        assert after["ready"] is True
        assert after["parts"]["policy"]["pid"] != pids["policy"]
        assert "service_ended: The service policy has ended." in terminal.said()

        process.send_signal(signal.SIGINT)
        assert ended(process, terminal) == 130, terminal.said()
        assert {part["state"] for part in terminal.status()["parts"].values()} == {"stopped"}
        assert not any(psutil.pid_exists(pid) for pid in [*pids.values(), after["parts"]["policy"]["pid"]])
        assert bystander.poll() is None
    finally:
        for one in (process, bystander):
            one.kill()
            one.wait()


def test_ctrl_c_during_the_start_ends_it_at_once_and_leaves_nothing(terminal: Terminal) -> None:
    process = terminal.start("up")
    try:
        wait_until("starting Kafka", terminal, process)
        process.send_signal(signal.SIGINT)
        assert ended(process, terminal) == 130, terminal.said()
        assert processes_of(terminal) == []
    finally:
        process.kill()
        process.wait()


def test_one_in_the_background_says_what_stops_it_as_ctrl_c_does_not(terminal: Terminal) -> None:
    process = terminal.start_in_background("up")
    try:
        wait_until("./run down stops it", terminal, process)
        assert "Ctrl-C stops it" not in terminal.said()
        process.send_signal(signal.SIGINT)
        assert terminal.status()["ready"] is True
        process.send_signal(signal.SIGTERM)
        assert ended(process, terminal) == 130, terminal.said()
        assert processes_of(terminal) == []
    finally:
        process.kill()
        process.wait()


def test_detached_platform_is_stopped_from_another_terminal(terminal: Terminal) -> None:
    up = terminal.type("up", "--detach", "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    facts = json.loads(up.stdout)
    assert sorted(facts["started"]) == sorted(PARTS)
    again = terminal.type("up", "--json")
    assert json.loads(again.stdout)["started"] == []
    down = terminal.type("down", "--json")
    assert sorted(json.loads(down.stdout)["stopped"]) == sorted(PARTS)
    assert terminal.status()["ready"] is False
    assert json.loads(terminal.type("down", "--json").stdout) == {"stopped": []}
