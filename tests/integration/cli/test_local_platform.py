"""The embedded platform: starts, starts again fast, stops what it started and nothing else."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cli.errors import Trouble
from cli.local import PORT_FIELDS, DataFolder, LocalSettings
from cli.platform import jars, topics
from cli.platform.local import LocalPlatform
from cli.platform.ownership import Ledger, Owned
from cli.platform.ports import any_free
from tests.ground import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder the database's unprivileged user can walk to, and nothing configured."""
    for name in ("COUNTERSIGN_KAFKA_BOOTSTRAP", "COUNTERSIGN_DATABASE_ADMIN_URL", "COUNTERSIGN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    made = Path(tempfile.mkdtemp(prefix="countersign-platform-"))
    made.chmod(0o755)
    yield made / "data"
    shutil.rmtree(made)


@pytest.fixture
def platform_here(folder: Path) -> Iterator[LocalPlatform]:
    """Stores on free ports; whatever is left is stopped afterwards."""
    settings = LocalSettings(data_dir=folder).model_copy(update={name: any_free() for name in PORT_FIELDS})
    made = LocalPlatform(settings, print)
    yield made
    made.stop_all()
    made.postgres.remove()


def test_data_survives_a_stop_and_the_second_start_is_fast_and_needs_no_network(
    platform_here: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform_here.start(services=())
    wait_for(write(platform_here.database.url))
    assert sorted(platform_here.stop_started()) == ["kafka", "postgres"]

    def no_network() -> list[Path]:
        raise AssertionError("the second start fetched something")

    monkeypatch.setattr(jars, "_fetch", no_network)
    started = time.monotonic()
    platform_here.start(services=())
    assert time.monotonic() - started < 30.0  # under 20 s on an idle machine; tests share theirs
    assert wait_for(read(platform_here.database.url)) == 42
    outcome = wait_for(topics.ensure(platform_here.kafka_bootstrap, platform_here.namespace))
    assert outcome.created == []


def test_second_terminal_finds_it_running_and_stops_nothing_it_did_not_start(platform_here: LocalPlatform) -> None:
    platform_here.start(services=())
    second = LocalPlatform(platform_here.settings, print)
    second.start(services=())
    assert second.started == []
    assert second.stop_started() == []
    assert platform_here.kafka.running() is not None
    assert platform_here.postgres.running() is not None
    assert sorted(second.stop_all()) == ["kafka", "postgres"]
    assert platform_here.kafka.running() is None


def test_record_of_a_strangers_pid_never_ends_the_stranger(platform_here: LocalPlatform) -> None:
    platform_here.folder.claim()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        Ledger(platform_here.folder.run).record(Owned("policy", stranger.pid, created_at=1.0))
        assert platform_here.stop_all() == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_start_that_fails_half_way_stops_what_it_had_started(
    platform_here: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_bootstrap: str, _namespace: str) -> topics.Outcome:
        raise Trouble("kafka_refused", "No.", why="planted", way_out="none")

    monkeypatch.setattr(topics, "ensure", refuse)
    with pytest.raises(Trouble, match="planted"):
        platform_here.start(services=())
    assert Ledger(platform_here.folder.run).names() == []
    assert platform_here.folder.noted_ports() is None


def test_two_starts_at_once_do_not_collide(platform_here: LocalPlatform) -> None:
    platform_here.folder.claim()
    with platform_here.locked(), pytest.raises(Trouble) as refusal:
        LocalPlatform(platform_here.settings, print).start(services=())
    assert refusal.value.code == "platform_busy"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the database server to another user")
def test_data_folder_nobody_else_may_enter_still_works_for_root(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.parent.chmod(0o700)
    settings = LocalSettings(data_dir=folder).model_copy(update={name: any_free() for name in PORT_FIELDS})
    made = LocalPlatform(settings, print)
    DataFolder.of(settings).claim()
    try:
        made.postgres.start(print)
        wait_for(write(made.postgres.admin_url))
        place = made.postgres.log.parent
        assert place.parent == Path("/var/tmp")
    finally:
        made.postgres.stop()
        made.postgres.remove()
    assert not place.exists()


async def write(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("create table kept as select 42 as answer")
    await connection.close()


async def read(url: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("select answer from kept")
    finally:
        await connection.close()
