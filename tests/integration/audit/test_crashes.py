"""kill -9, restart, restored backups, tampering by the database's owner: nothing lost, nothing twice, nothing unseen."""

import asyncio
import random

import pytest

from services.audit.domain.checkpoints import PLATFORM
from tests.integration.audit.bench import AuditBench
from tests.unit.audit.story import item, sale, whole_story

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


async def test_kill_9_in_the_middle_of_batches_leaves_no_gap_and_nothing_twice(audit: AuditBench) -> None:
    """Batches are made small, so that each kill falls into the stream of them."""
    audit.extra["COUNTERSIGN_CONSUMER_BATCH_RECORDS"] = "40"
    story = whole_story(250)
    sales = [sale(number) for number in range(1000)]
    await audit.send([*story[:500], *sales[:500]])
    seeded = random.Random(7)  # one seed, so that a failing run can be looked at again
    for kill in range(4):
        audit.spawn()
        before = await audit.admin.fetchval("select coalesce(sum(size), 0) from audit.heads")

        async def has_grown(than: int = before) -> bool:
            assert audit.process is not None and audit.process.poll() is None, audit.log()[-2000:]
            return int(await audit.admin.fetchval("select coalesce(sum(size), 0) from audit.heads")) > than

        if kill < 2:
            await audit.until(has_grown, "the log to grow")
            await asyncio.sleep(seeded.random() / 10)  # where in the stream of batches the kill falls is the point
        else:
            await asyncio.sleep(seeded.random() * 3)  # or in the middle of starting
        audit.kill()
        if kill == 1:
            await audit.send([*story[500:], *sales[500:]])
    await audit.start()
    await audit.caught_up()
    entries = await audit.entries()
    assert [entry["seq"] for entry in entries] == list(range(len(entries)))
    ids = [entry["id"] for entry in entries if not entry["type"].startswith("audit.")]
    assert sorted(ids) == sorted(event.id for event in story)
    assert sum(entry["count"] for entry in entries if entry["type"] == "audit.batch.v1") == 1000
    code, facts = audit.verify("--from-service", "--tenant", "acme")
    assert code == 0, facts["problem"]
    assert facts["orders"] == 250


async def test_the_chain_of_checkpoints_holds_over_a_clean_restart_which_signs_what_is_left(audit: AuditBench) -> None:
    audit.extra["COUNTERSIGN_SIGN_EVERY_SECONDS"] = "60"
    await audit.start()
    await audit.send(whole_story(3))

    async def is_in() -> bool:
        return len(await audit.entries()) == 12

    await audit.until(is_in, "the entries")
    audit.stop()
    sizes = await audit.admin.fetch("select size from audit.checkpoints where tenant = 'acme' order by size")
    assert sizes[-1]["size"] == 12, "stopping signs what came in"
    audit.extra["COUNTERSIGN_SIGN_EVERY_SECONDS"] = "0.2"
    await audit.start()
    await audit.send([item("later")])
    await audit.caught_up()
    code, facts = audit.verify("--from-service", "--tenant", "acme")
    assert (code, facts["checkpoint_size"]) == (0, 13)
    assert facts["checkpoints_verified"] >= 2


async def test_a_replay_from_the_first_offset_changes_nothing(audit: AuditBench) -> None:
    await audit.start()
    await audit.send([*whole_story(10), *(sale(number) for number in range(300))])
    await audit.caught_up()
    before = await audit.entries()
    audit.stop()
    await audit.admin.execute("update audit.consumed_positions set next_offset = 0")
    audit.extra["COUNTERSIGN_CONSUMER_BATCH_RECORDS"] = "37"  # other batches than the first time
    await audit.start()
    await audit.send([item("new")])
    await audit.caught_up()
    after = await audit.entries()
    assert after[: len(before)] == before
    assert [entry["id"] for entry in after[len(before) :]] == ["item-new"]
    assert audit.verify("--from-service", "--tenant", "acme")[0] == 0


async def remember(audit: AuditBench) -> dict[str, list[str]]:
    """A backup, as the owner of the database could take one: all of the log's rows."""
    return {
        table: [row[0] for row in await audit.admin.fetch(f"select t::text from audit.{table} t")]
        for table in (
            "heads",
            "entries",
            "entry_terms",
            "tile_roots",
            "payloads",
            "checkpoints",
            "consumed_positions",
            "relay_positions",
        )
    }


async def restore(audit: AuditBench, backup: dict[str, list[str]]) -> None:
    """Put a backup back, as the owner: past triggers and foreign keys."""
    for table in ("entries", "tile_roots", "checkpoints", "payloads"):
        await audit.admin.execute(f"alter table audit.{table} disable trigger all")
    await audit.admin.execute("truncate audit.outbox")
    for table, rows in backup.items():
        await audit.admin.execute(f"delete from audit.{table}")
        for row in rows:
            await audit.admin.execute(f"insert into audit.{table} select ($1::text::audit.{table}).*", row)


async def test_a_restored_backup_is_never_signed_over(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(2))
    await audit.caught_up()
    audit.stop()
    backup = await remember(audit)
    await audit.start()
    await audit.send([item(f"later-{number}") for number in range(5)])
    await audit.caught_up()

    async def is_published() -> bool:
        return bool(await audit.admin.fetchval("select count(*) = 0 from audit.outbox where published_at is null"))

    await audit.until(is_published, "the checkpoints to be published")
    audit.kill()
    await restore(audit, backup)
    # Kafka still has the later events, so the log grows again: same events, but is it the same history?
    await audit.admin.execute(
        "update audit.consumed_positions set next_offset = 1000000 where topic like '%catalogue%'"
    )
    await audit.start()
    await audit.send(whole_story(3)[8:])

    async def is_refused() -> bool:
        return "signing_refused" in audit.log()

    await audit.until(is_refused, "signing to be refused")
    assert "database_restored" in audit.log() or "log_forked" in audit.log()
    newest = await audit.admin.fetchval("select max(size) from audit.checkpoints where tenant = 'acme'")
    assert newest == 8, "nothing was signed over the restored state"
    code, facts = audit.verify("--from-service", "--tenant", "acme")
    assert code == 1
    assert facts["problem"]["code"] in ("log_truncated", "history_rewritten")


TAMPERINGS = {
    "edit": "update audit.entries set entry = convert_to(replace(convert_from(entry, 'utf8'), '\"approved\"', '\"rejected\"'), 'utf8')"
    " where seq = (select min(seq) from audit.entry_terms where type = 'decision.made.v1')",
    "delete": "delete from audit.entries where seq = 6",
    "reorder": "update audit.entries set seq = case seq when 5 then 100005 when 6 then 5 else seq end where seq in (5, 6)",
    "truncate": "delete from audit.entries where seq >= 9",
    "payload": "update audit.payloads set value = convert_to(replace(convert_from(value, 'utf8'), '\"12\"', '\"13\"'), 'utf8') where not is_salted",
}


async def test_every_tampering_by_the_owner_of_the_database_is_found(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(4))
    await audit.caught_up()
    backup = await remember(audit)
    for name, statement in TAMPERINGS.items():
        await restore(audit, backup)
        assert audit.verify("--from-service", "--tenant", "acme")[0] == 0, f"before {name}"
        await audit.admin.execute(statement)
        if name == "reorder":
            await audit.admin.execute("update audit.entries set seq = 6 where seq = 100005")
        code, facts = audit.verify("--from-service", "--tenant", "acme")
        assert code == 1 and facts["problem"] is not None, name
        assert facts["problem"]["seq"] is not None, name
        checked = (await audit.call("POST", "/audit/verification")).json()
        assert checked["ok"] is False, name


async def test_the_platforms_log_records_every_tenants_heads(audit: AuditBench) -> None:
    await audit.start()
    await audit.send([item("a"), item("b", tenant="other")])
    await audit.caught_up()
    recorded = await audit.entries(PLATFORM)
    assert {entry["log_id"] for entry in recorded} == {"acme", "other"}
    heads = await audit.admin.fetch("select tenant, size from audit.checkpoints where tenant <> $1", PLATFORM)
    assert {(row["tenant"], row["size"]) for row in heads} == {(entry["log_id"], entry["size"]) for entry in recorded}
