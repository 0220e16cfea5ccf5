"""A busy port is reported with who holds it and what to do, before anything is started."""

import os
import socket
from collections.abc import Iterator

import pytest

from cli.errors import Exit, Trouble
from cli.platform.ports import any_free, demand_free, holder, is_free


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
