"""What runs before the services in containers: a bare database and broker become ready, and running it again changes nothing."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import pytest

from cli.platform import topics
from deploy import credentials
from kit.database import Database
from tests.ground import FreshDatabase, Ground

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]


async def prepare(platform: Ground, namespace: str, folder: Path) -> tuple[int, str]:
    environment = {
        **os.environ,
        "COUNTERSIGN_CREDENTIALS_DIR": str(folder),
        "COUNTERSIGN_KAFKA_BOOTSTRAP": platform.kafka_bootstrap,
        "COUNTERSIGN_NAMESPACE": namespace,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.prepare",
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def write_credentials(folder: Path, database: FreshDatabase) -> None:
    """As `deploy.credentials` would, with the roles' passwords of this server: other tests share its roles."""
    credentials.make(folder, host="unused", port=1, database=database.name)
    (folder / "postgres" / "admin-url").write_text(database.admin_url)
    for service in credentials.SERVICES:
        (folder / service / "database-url").write_text(database.target.service_url(service))


async def test_bare_stores_become_ready_and_stay_so(
    platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path
) -> None:
    write_credentials(tmp_path, database)
    await topics.remove(platform.kafka_bootstrap, namespace)
    code, said = await prepare(platform, namespace, tmp_path)
    assert code == 0, said
    assert f"topics: {len(topics.wanted(namespace))} made" in said
    for service in credentials.SERVICES:
        opened = await Database.open((tmp_path / service / "database-url").read_text(), service, pool_max=2)
        try:
            await opened.check_version()
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await opened.pool.execute("create table anything (x int)")
        finally:
            await opened.close()
    again, said = await prepare(platform, namespace, tmp_path)
    assert again == 0, said
    assert said.count("up to date") == len(credentials.SERVICES)
    assert "0 made, 0 corrected" in said


async def test_unreachable_database_is_said_in_one_line(platform: Ground, namespace: str, tmp_path: Path) -> None:
    credentials.make(tmp_path, host="127.0.0.1", port=9, database="countersign")
    code, said = await prepare(platform, namespace, tmp_path)
    assert code == 1
    assert said.startswith("not prepared: ")
    assert said.count("\n") == 1
