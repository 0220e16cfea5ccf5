"""Ports: which are free, and who holds the others."""

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

import psutil

from cli.errors import Exit, Trouble


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def any_free() -> int:
    """A free port below the system's range for outgoing connections, so that no client takes it meanwhile.

    It is this process's until it ends: whoever asks on this machine gets another one, even before anybody listens. Two
    that were given the same would talk to each other's services. Raises Trouble: no_free_port.
    """
    for _ in range(200):
        port = random.SystemRandom().randrange(20_000, 32_000)
        if _claim(port) and is_free(port):
            return port
    raise Trouble(
        "no_free_port",
        "No free port was found between 20000 and 32000.",
        why="200 ports tried at random are all taken",
        way_out="stop what listens there (`ss -ltnp`), then try again",
        exit_code=Exit.PORT_BUSY,
    )


_claimed: set[int] = set()


def _claim(port: int) -> bool:
    """Take `port` for this process, among all that ask here; the kernel gives it back when the process ends."""
    if port in _claimed:  # a process is never refused its own record lock
        return False
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _claimed.add(port)
    return True


@cache
def _claims() -> int:
    """The file whose byte number `port` is locked by the process that was given that port. It is never closed."""
    return os.open(
        Path(tempfile.gettempdir()) / f"countersign-ports-{os.getuid()}.lock",
        os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
        0o600,
    )


def holder(port: int) -> str:
    """Who listens on `port`: "pid 123 (nginx)", or a sentence saying that we may not know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "a process of another user"
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            if connection.pid is None:
                return "a process of another user"
            try:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
            except psutil.NoSuchProcess:
                break
    return "a process that has just ended, or a connection that is still closing"


def demand_free(port: int, *, what: str, setting: str) -> None:
    """Refuse with exit 4 when `port` is taken, naming who holds it and the setting that chooses another."""
    if is_free(port):
        return
    raise Trouble(
        "port_busy",
        f"Port {port}, wanted for {what}, is already in use.",
        why=f"{holder(port)} listens on it",
        way_out=f"stop that process, or choose another port with {setting}=<port>, or add --any-port",
        exit_code=Exit.PORT_BUSY,
    )
