"""An exported log taken back into an empty database is the same log: same rows, same bytes, and the topics add nothing to it."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.database import Database
from services.audit import importing, keys
from services.audit.domain.checkpoints import PLATFORM
from services.audit.domain.notes import COSIGNATURE, parse_note, signer
from services.audit.importing import Imported
from services.audit.inspecting import ImportRefused
from services.audit.store import growing
from tests import ground
from tests.ground import FreshDatabase, Ground
from tests.integration.audit.bench import AuditBench, audit_bench
from tests.unit.audit.story import TENANT, Event, candidate, decision, item, order, recommendation, sale, whole_story

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]
ROOT = Path(__file__).resolve().parents[3]
WITNESS = signer("witness/1", COSIGNATURE, b"\x05" * 32)
# Everything that is the log. `self_checks` holds answers about it, the rest of the schema positions and the outbox.
TABLES = {
    "heads": "tenant",
    "entries": "tenant, seq",
    "tile_roots": "tenant, level, index",
    "checkpoints": "tenant, size",
    "cosignatures": "tenant, size, witness",
    "payloads": "tenant, sha256",
    "entry_terms": "tenant, seq",
}


async def rows(audit: AuditBench, *tenants: str) -> dict[str, list[Any]]:
    wanted = list(tenants or (TENANT,))
    return {
        table: [
            tuple(row)
            for row in await audit.admin.fetch(
                f"select * from audit.{table} where tenant = any($1) order by {order_by}", wanted
            )
        ]
        for table, order_by in TABLES.items()
    }


async def exported(audit: AuditBench, name: str, tenant: str = TENANT) -> Path:
    file = audit.data_dir / f"{name}.jsonl"
    answer = await audit.call("GET", "/audit/export", tenant=tenant)
    assert answer.status_code == 200, answer.text
    file.write_bytes(answer.content)
    return file


async def imported(audit: AuditBench, file: Path, tenant: str = TENANT, **more: Any) -> Imported:
    """What the command does, in this process: as the service's own role on the bench's database."""
    log_keys = keys.load(audit.settings.deployment, audit.data_dir / "keys" / "audit.key")
    database = await Database.open(audit.database_url, "audit", pool_max=2)
    witnesses = (WITNESS.verifier(),)
    try:
        return await importing.import_log(
            audit.settings, database, log_keys, witnesses, file, tenant, lambda _done, _total: None, **more
        )
    finally:
        await database.close()


async def refused(audit: AuditBench, file: Path, tenant: str = TENANT) -> str:
    """The refusal's code; that nothing was written is seen in the tables."""
    before = await rows(audit, tenant)
    with pytest.raises(ImportRefused) as refusal:
        await imported(audit, file, tenant)
    assert await rows(audit, tenant) == before
    return refusal.value.code


@asynccontextmanager
async def another(audit: AuditBench, platform: Ground) -> AsyncIterator[AuditBench]:
    """The same installation (topics, keys, folder) with a database that was never used."""
    with ground.fresh_database(platform) as database:
        async with audit_bench(platform, audit.settings.namespace, database, audit.data_dir) as bench:
            yield bench


async def test_log_comes_back_byte_for_byte_and_the_topics_add_nothing_to_it(
    audit: AuditBench, platform: Ground
) -> None:
    await audit.start()
    changed = Event(decision("0").id, decision("0", quantity="99").body)
    await audit.send([*whole_story(300), changed, *(sale(number) for number in range(700)), item("z", tenant="other")])
    await audit.caught_up()
    seq = next(entry["seq"] for entry in await audit.entries() if entry["type"] == "decision.made.v1")
    assert (
        await audit.call("POST", f"/audit/entries/{seq}/erasure", "admin", json={"reason": "request 17"})
    ).is_success
    await audit.send([Event("long-" + "x" * 300, item("LONG-ID").body), *(sale(number) for number in range(700, 720))])

    async def is_said() -> bool:
        return any(entry["type"] == "exception.raised.v1" for entry in await audit.entries())

    await audit.until(is_said, "the exception about the reused id to come back into the log")
    await audit.caught_up()
    head = await audit.admin.fetchrow("select * from audit.checkpoints where tenant = $1 order by size limit 1", TENANT)
    assert head is not None
    line = WITNESS.cosignature_line(parse_note(head["note"])[0], 1_700_000_000)
    await audit.admin.execute(
        "insert into audit.cosignatures values ($1, $2, $3, $4)", TENANT, head["size"], "witness/1", line
    )
    tenants = (TENANT, "other", PLATFORM)
    files = {tenant: await exported(audit, f"of-{number}", tenant) for number, tenant in enumerate(tenants)}
    audit.stop()
    whole = await rows(audit, *tenants)
    assert len(whole["entries"]) > 1200 and {row[0] for row in whole["tile_roots"]} == {TENANT}
    assert any(row[5] is not None for row in whole["payloads"]), "something is erased"
    assert len(whole["cosignatures"]) == 1

    async with another(audit, platform) as copy:
        done = await imported(copy, files[TENANT])
        assert (done.added, done.left_out, done.awaited) == (done.size, 0, ("other", PLATFORM))
        for tenant in ("other", PLATFORM):
            done = await imported(copy, files[tenant], tenant)
        assert done.awaited == ()
        assert await rows(copy, *tenants) == whole, (
            "entries, heads, tiles, checkpoints with their times, payloads, salts"
        )
        assert (await imported(copy, files[TENANT])).added == 0, "what is there already is found to be there"

        await copy.start()  # its positions are empty: it reads every topic from the first record
        await copy.caught_up()
        assert await copy.admin.fetchval("select count(*) from audit.consumed_positions where next_offset > 0") > 3
        assert await rows(copy, *tenants) == whole, "replaying the topics appends nothing"
        assert await copy.admin.fetchval("select count(*) from audit.outbox") == 0, "and says nothing"
        for tenant, file in files.items():
            assert (await exported(copy, "again", tenant)).read_bytes() == file.read_bytes()
            code, facts = copy.verify("--from-service", "--tenant", tenant)
            assert (code, facts["problem"]) == (0, None)

        await copy.send([recommendation("new"), decision("new"), order("new", "dec-new-1"), sale(9_000)])
        await copy.caught_up()
        grown = await copy.entries()
        assert len(grown) == len([row for row in whole["entries"] if row[0] == TENANT]) + 4
        code, facts = copy.verify("--from-service", "--tenant", TENANT)
        assert (code, facts["entries_not_signed_yet"]) == (0, 0) and facts["outside_checkpoints_verified"] > 1
        assert "signing_refused" not in copy.log()


async def test_log_that_is_a_beginning_of_the_export_is_continued_and_any_other_is_refused(
    audit: AuditBench, platform: Ground
) -> None:
    await audit.start()
    await audit.send(whole_story(140))
    await audit.caught_up()
    early = await exported(audit, "early")
    async with another(audit, platform) as copy, another(audit, platform) as stranger:
        audit.stop()
        first = await imported(copy, early)
        await audit.start()
        seq = next(entry["seq"] for entry in await audit.entries() if entry["type"] == "decision.made.v1")
        assert (
            await audit.call("POST", f"/audit/entries/{seq}/erasure", "admin", json={"reason": "request 17"})
        ).is_success
        await audit.send([*(item(f"late-{number}") for number in range(90)), *(sale(number) for number in range(30))])
        await audit.caught_up()
        late = await exported(audit, "late")
        audit.stop()
        whole = await rows(audit)

        assert await refused(stranger, early) == "database_restored", (
            "signing would refuse it: more was published since"
        )
        second = await imported(copy, late)
        assert (second.added, second.size) == (second.size - first.size, len(whole["entries"]))
        assert await rows(copy) == whole, "and what was erased meanwhile is erased"
        assert await refused(copy, early) == "log_longer"

        database = await Database.open(stranger.database_url, "audit", pool_max=1)
        async with database.transaction(TENANT) as tx:
            await growing.append_candidates(tx, TENANT, [candidate(item("SOMETHING-ELSE"))])
        await database.close()
        assert await refused(stranger, late) == "log_differs"

        await copy.admin.execute(
            "insert into audit.cosignatures select tenant, size, 'w', 'x' from audit.checkpoints"
            " where tenant = $1 order by size limit 1",
            TENANT,
        )
        assert await refused(copy, late) == "log_differs", "it holds more than the export says"


async def test_log_of_other_topics_is_refused(audit: AuditBench, platform: Ground) -> None:
    """Its batches name offsets; on topics that began anew, new records would be dropped as known."""
    await audit.start()
    await audit.send([*whole_story(1), *(sale(number) for number in range(20))])
    await audit.caught_up()
    file = await exported(audit, "export")
    audit.stop()
    with ground.fresh_namespace(platform) as elsewhere, ground.fresh_database(platform) as database:
        async with audit_bench(platform, elsewhere, database, audit.data_dir) as copy:
            assert await refused(copy, file) == "topics_differ"


def run(audit: AuditBench, platform: Ground, database: FreshDatabase, *words: str) -> tuple[int, dict[str, Any]]:
    """`./run audit …`, as a person calls it."""
    environment = audit.environment() | {
        "COUNTERSIGN_DATABASE_ADMIN_URL": platform.database_admin_url,
        "COUNTERSIGN_DATABASE_NAME": database.name,
        "COUNTERSIGN_AUDIT_PORT": str(audit.port),
        "COUNTERSIGN_AUDIT_KEY_FILE": str(audit.data_dir / "keys" / "audit.key"),
    }
    # An import is to find a folder it made itself or an empty one; the key comes from where it is kept.
    folder = audit.data_dir if words[0] == "export" else audit.data_dir / "installation"
    command = [sys.executable, "-m", "cli", "audit", *words, "--json", "--data-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout, done.stderr[-2000:]
    return done.returncode, json.loads(done.stdout)


async def test_commands_export_and_import_and_say_what_to_do_when_they_may_not(
    audit: AuditBench, platform: Ground, database: FreshDatabase, tmp_path: Path
) -> None:
    await audit.start()
    await audit.send(whole_story(5))
    await audit.caught_up()
    file = tmp_path / "backup" / "acme.jsonl"
    code, said = run(audit, platform, database, "export", str(file), "--tenant", TENANT)
    assert (code, said["entries"]) == (0, 20)
    assert file.read_bytes() == (await exported(audit, "same")).read_bytes()
    code, said = run(audit, platform, database, "import", str(file))
    assert (code, said["error"]) == (1, "service_running")
    audit.stop()
    whole = await rows(audit)
    with ground.fresh_database(platform) as fresh:
        code, said = run(audit, platform, fresh, "import", str(file), "--tenant", "demo")
        assert (code, said["error"]) == (1, "other_tenant") and said["why"] and said["way_out"]
        code, said = run(audit, platform, fresh, "import", str(file))
        assert (code, said["added"], said["published_size"]) == (0, 20, 20), said
        fresh.url("audit")
        async with audit_bench(platform, audit.settings.namespace, fresh, audit.data_dir) as copy:
            assert await rows(copy) == whole
            key = audit.data_dir / "keys" / "audit.key"
            key.rename(key.with_name("elsewhere"))
            code, said = run(audit, platform, fresh, "import", str(file))
            assert (code, said["error"]) == (3, "key_missing") and not key.exists(), "an import makes no key"
