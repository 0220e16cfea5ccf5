"""Only processes that we started are ever stopped: a reused pid, or a stranger's, is left alone."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli.platform.ownership import Ledger, Owned, stop_together

Spawn = Callable[[str], subprocess.Popen[bytes]]
OBEDIENT = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    made: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        made.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        return process

    yield start
    for process in made:
        process.kill()
        process.communicate()


def test_process_we_started_is_stopped(spawn: Spawn) -> None:
    process = spawn(OBEDIENT)
    said: list[str] = []
    owned = Owned.of("a", process.pid)
    assert owned.stop(grace_seconds=10, on_kill=said.append)
    assert not owned.is_alive
    assert said == []


def test_pid_that_now_belongs_to_somebody_else_is_left_alone(spawn: Spawn) -> None:
    process = spawn(OBEDIENT)
    stale = replace(Owned.of("a", process.pid), created_at=1.0)
    assert not stale.is_alive
    assert not stale.stop(grace_seconds=1)
    assert process.poll() is None


def test_process_that_ignores_term_is_killed_after_its_grace_and_that_is_said(spawn: Spawn) -> None:
    process = spawn(STUBBORN)
    said: list[str] = []
    owned = Owned.of("policy", process.pid)
    assert owned.stop(grace_seconds=0.2, on_kill=said.append)
    assert not owned.is_alive
    assert said == [f"policy (pid {process.pid}) did not stop in 0 s and is killed"]


def test_grace_is_shared_not_added_up(spawn: Spawn) -> None:
    processes = [spawn(STUBBORN) for _ in range(3)]
    owned = [Owned.of(f"s{index}", process.pid) for index, process in enumerate(processes)]
    started = time.monotonic()
    assert stop_together(owned, grace_seconds=1.0) == ["s0", "s1", "s2"]
    assert time.monotonic() - started < 2.5
    assert not any(one.is_alive for one in owned)


def test_children_of_a_killed_process_go_with_it(spawn: Spawn, tmp_path: Path) -> None:
    child_pid = tmp_path / "child"
    process = spawn(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(child_pid)!r}, 'w').write(str(child.pid))\n"
        "print('up', flush=True); time.sleep(60)"
    )
    child = Owned.of("child", int(child_pid.read_text()))
    Owned.of("parent", process.pid).kill()
    process.wait(5)
    assert not child.is_alive


def test_a_process_has_ended_also_while_its_parent_has_not_asked_how(spawn: Spawn, tmp_path: Path) -> None:
    """As when `./run down` stops what `./run up` started in another terminal."""
    child_pid = tmp_path / "child"
    spawn(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(child_pid)!r}, 'w').write(str(child.pid))\n"
        "print('up', flush=True); time.sleep(60)"
    )
    child = Owned.of("policy", int(child_pid.read_text()))
    said: list[str] = []
    assert child.stop(grace_seconds=5.0, on_kill=said.append)
    assert not child.is_alive
    assert said == []


def test_ledger_gives_back_what_was_recorded_and_survives_a_torn_file(tmp_path: Path, spawn: Spawn) -> None:
    ledger = Ledger(tmp_path)
    owned = Owned.of("kafka", spawn(OBEDIENT).pid, 19092)
    ledger.record(owned)
    assert Ledger(tmp_path).find("kafka") == owned
    assert ledger.names() == ["kafka"]
    (tmp_path / "kafka.pid.json").write_text('{"name": "kaf')
    assert ledger.find("kafka") is None
    ledger.forget("kafka")
    assert ledger.names() == []
