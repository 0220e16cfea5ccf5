"""A busy port is reported with who holds it and what to do, before anything is started."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.errors import Exit, Trouble
from cli.platform.ports import any_free, demand_free, holder, is_free

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_busy_port_names_its_holder_the_setting_and_exit_code_four(taken: int) -> None:
    with pytest.raises(Trouble) as refusal:
        demand_free(taken, what="the gateway service", setting="COUNTERSIGN_GATEWAY_PORT")
    assert refusal.value.code == "port_busy"
    assert refusal.value.exit_code is Exit.PORT_BUSY
    assert refusal.value.what == f"Port {taken}, wanted for the gateway service, is already in use."
    assert f"pid {os.getpid()} (" in refusal.value.why
    assert "COUNTERSIGN_GATEWAY_PORT=<port>" in refusal.value.way_out
    assert "--any-port" in refusal.value.way_out


def test_free_port_is_accepted_and_below_the_range_of_outgoing_connections() -> None:
    port = any_free()
    assert 20_000 <= port < 32_768
    assert is_free(port)
    demand_free(port, what="a test", setting="X")


def test_holder_of_a_port_nobody_listens_on_is_not_invented() -> None:
    assert "pid" not in holder(any_free())


def test_port_given_to_one_process_is_not_given_to_another_before_it_listens() -> None:
    mine = [any_free(), any_free()]
    code = (
        "import random, sys; from cli.platform.ports import any_free; drawn = [int(port) for port in sys.argv[1:]]; "
        "really = random.SystemRandom.randrange; "
        "random.SystemRandom.randrange = lambda self, *bounds: drawn.pop() if drawn else really(self, *bounds); "
        "print(any_free(), len(drawn))"
    )
    command = [sys.executable, "-c", code, *map(str, mine)]
    theirs = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert int(theirs[0]) not in mine
    assert theirs[1] == "0"  # both were drawn, and refused


def test_port_is_given_once_even_to_the_same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = any_free()
    draws = iter([first, first])
    monkeypatch.setattr(random.SystemRandom, "randrange", lambda *_: next(draws, 31_999))
    assert any_free() != first
