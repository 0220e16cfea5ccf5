"""Audit and a witness as two processes: heads are cosigned, and a rewritten history is disputed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from cli.platform.ports import any_free
from services.audit.keys import LogKeys, ensure_seed
from tests.integration.audit.bench import ROOT, AuditBench
from tests.unit.audit.story import item, whole_story

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@contextmanager
def witness(audit: AuditBench, port: int) -> Iterator[str]:
    """A witness that knows the deployment's key; yields its address."""
    (log_key,) = LogKeys("local", ensure_seed(audit.data_dir / "keys" / "audit.key")).deployment_vkeys()
    own = {
        "COUNTERSIGN_HTTP_PORT": str(port),
        "COUNTERSIGN_DATA_DIR": str(audit.data_dir),
        "COUNTERSIGN_WITNESS_LOG_VKEYS": log_key,
    }
    with (audit.data_dir / "witness.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.audit.witness"], cwd=ROOT, env=os.environ | own, stdout=log, stderr=log
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


async def vkey_of(audit: AuditBench, address: str) -> str:
    found = ""

    async def answers() -> bool:
        nonlocal found
        try:
            async with httpx2.AsyncClient() as client:
                found = (await client.get(f"{address}/vkey", timeout=2)).text.strip()
        except httpx2.HTTPError:
            return False
        return bool(found)

    await audit.until(answers, "the witness")
    return found


async def test_heads_are_cosigned_and_the_verifier_can_insist_on_it(audit: AuditBench) -> None:
    (audit.data_dir / "audit.log").touch()
    with witness(audit, any_free()) as address:
        key = await vkey_of(audit, address)
        audit.extra |= {"COUNTERSIGN_WITNESS_URL": address, "COUNTERSIGN_WITNESS_VKEY": key}
        await audit.start()
        for round_number in range(3):
            await audit.send([item(f"round-{round_number}"), *whole_story(1)])
            await audit.caught_up()

        async def is_cosigned() -> bool:
            query = "select bool_and(exists (select from audit.cosignatures c where c.tenant = h.tenant and c.size = h.size)) from audit.heads h where tenant = 'acme'"
            return bool(await audit.admin.fetchval(query))

        await audit.until(is_cosigned, "the newest head to be cosigned")
        code, facts = audit.verify("--from-service", "--tenant", "acme", "--witness", key, "--cosignatures", "1")
        assert code == 0, facts["problem"]
        assert facts["cosignatures_verified"] >= 1
        assert (await audit.call("GET", "/audit/log/checkpoint")).text.count("\u2014") == 2
        # The witness remembers what a restored database forgot.
        await audit.admin.execute(
            "alter table audit.checkpoints disable trigger all; alter table audit.cosignatures disable trigger all"
        )
        audit.kill()
        await audit.admin.execute(
            "delete from audit.cosignatures where tenant = 'acme'; delete from audit.checkpoints where tenant = 'acme'"
            " and size > (select min(size) from audit.checkpoints where tenant = 'acme')"
        )
        await audit.start()

        async def is_disputed() -> bool:
            return "witness_disputes" in audit.log()

        await audit.until(is_disputed, "the dispute")
        assert "database_restored" in audit.log()
