"""Faults of the broker and of the database."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from lab.chaos.faults.scene import Fault, Scene, Skipped
from lab.chaos.faults.tracing import tampering

DOWN_SECONDS = (0.5, 3.0)
FULL_SECONDS = (4.0, 7.0)


def broker_restart(scene: Scene) -> None:
    """A clean stop of the broker, and a start."""
    scene.stand.kafka.stop(grace_seconds=20.0)
    scene.stand.kafka.start(scene.stand.say)


def broker_kill(scene: Scene) -> None:
    """kill -9 of the broker: nothing is flushed, no transaction is closed."""
    owned = scene.stand.kafka.running()
    if owned is not None:
        os.kill(owned.pid, signal.SIGKILL)
        _await_death(lambda: scene.stand.kafka.running() is None)
    scene.killed("kafka")
    scene.wait(*DOWN_SECONDS)
    scene.stand.revive_stores()


def postgres_restart(scene: Scene) -> None:
    """A fast restart: every connection is ended, every transaction in flight rolled back."""
    scene.stand.postgres.stop(grace_seconds=20.0)
    scene.stand.revive_stores()


def postgres_kill(scene: Scene) -> None:
    """kill -9 of the postmaster and all its children: crash recovery from the write-ahead log."""
    owned = scene.stand.postgres.running()
    if owned is not None:
        owned.kill()
    scene.killed("postgres")
    scene.wait(*DOWN_SECONDS)
    scene.stand.revive_stores()


def cut_connections(scene: Scene) -> None:
    """Twice a second every connection of the services is ended, in whatever transaction it is."""
    for _ in range(scene.rng.randint(6, 12)):
        rows = scene.stand.query(
            "select count(pg_terminate_backend(pid)) as n from pg_stat_activity where usename like 'countersign\\_%'"
        )
        scene.counts["connections cut"] += rows[0]["n"]
        time.sleep(0.5)


def disk_full_postgres(scene: Scene) -> None:
    """No room for the write-ahead log."""
    _fill(scene, scene.stand.data_dir / "small-disks" / "postgres")


def disk_full_kafka(scene: Scene) -> None:
    """No room for the broker's log."""
    _fill(scene, scene.stand.data_dir / "small-disks" / "kafka")


def _fill(scene: Scene, disk: Path) -> None:
    if not disk.is_dir() or not disk.is_mount():
        raise Skipped(
            "needs a small disk of its own for the store: run as root, which may mount one in a namespace of its own"
        )
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:  # ends when the disk is full
            file.write(b"\0" * 65_536)
            file.flush()
    try:
        scene.wait(*FULL_SECONDS)
    finally:
        filler.unlink()
    time.sleep(0.5)  # a store that dies of it dies at its next write
    scene.counts["store died"] += scene.stand.kafka.running() is None or scene.stand.postgres.running() is None
    scene.stand.revive_stores()


def fsync_fails(scene: Scene) -> None:
    """EIO from fsync in the processes of the database: it must not sign or say what is not on disk."""
    owned = scene.stand.postgres.running()
    process = owned.process() if owned is not None else None
    if process is None:
        return
    # A process that is there already is not watched by way of its parent.
    pids = [process.pid, *(child.pid for child in process.children(recursive=True))]
    with tampering("fsync,fdatasync", f"error=EIO:when={scene.rng.randint(1, 20)}", pids):
        scene.wait(3.0, 5.0)
    scene.stand.revive_stores()


def _await_death(is_dead: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_dead() and time.monotonic() < deadline:
        time.sleep(0.02)


FAULTS = (
    Fault("broker-restart", 6, "clean restart of the broker", broker_restart),
    Fault("broker-kill", 7, "kill -9 of the broker", broker_kill),
    Fault("postgres-restart", 8, "fast restart of the database", postgres_restart),
    Fault("postgres-kill", 9, "kill -9 of the database", postgres_kill),
    Fault("cut-connections", 10, "database connections ended in mid-transaction", cut_connections),
    Fault("disk-full-postgres", 16, "no room for the write-ahead log", disk_full_postgres),
    Fault("disk-full-kafka", 17, "no room for the broker's log", disk_full_kafka),
    Fault("fsync-fails", 18, "EIO from fsync", fsync_fails),
)
