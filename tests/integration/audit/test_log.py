"""Events in, a gapless, signed, verifiable log out; on real Kafka and Postgres, with the service as its own process."""

import base64
import hashlib
import json

import asyncpg
import pytest
from aiokafka import TopicPartition

from kit import kafka
from kit.database import Database
from kit.events import Envelope, Outgoing
from schemas.topics import DECISIONS, SALES
from services.audit import rebuilding
from services.audit.domain.checkpoints import check_receipt
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.notes import Verifier, open_note, parse_note, parse_vkey
from services.audit.domain.proofs import consistency_holds, inclusion_holds
from services.audit.domain.tiles import decode_entries
from tests.integration.audit.bench import AuditBench
from tests.unit.audit.story import WHEN, Event, decision, item, order, recommendation, sale, whole_story

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


async def test_events_become_a_gapless_signed_log_that_a_stranger_can_verify(audit: AuditBench) -> None:
    await audit.start()
    await audit.send([*whole_story(20), *(sale(number) for number in range(500))])
    await audit.caught_up()
    entries = await audit.entries()
    assert [entry["seq"] for entry in entries] == list(range(len(entries)))
    kinds = [entry["type"] for entry in entries]
    for kind in ("item.defined.v1", "recommendation.issued.v1", "decision.made.v1", "order.released.v1"):
        assert kinds.count(kind) == 20
    batches = [entry for entry in entries if entry["type"] == "audit.batch.v1"]
    assert sum(entry["count"] for entry in batches) == 500
    code, facts = audit.verify("--from-service", "--tenant", "acme")
    assert (code, facts["ok"], facts["problem"]) == (0, True, None)
    assert facts["entries_verified"] == facts["checkpoint_size"] == len(entries)
    assert facts["outside_checkpoints_verified"] >= 1
    assert facts["orders"] == 20 and facts["batched_records"] == 500
    platform = await audit.entries("~platform")
    assert {entry["type"] for entry in platform} == {"audit.checkpoint.v1"}


async def test_batches_commit_to_the_very_bytes_of_the_records(audit: AuditBench) -> None:
    await audit.start()
    await audit.send([sale(number) for number in range(40)])
    broken = Envelope("x", "pos", "sale.recorded.v1", WHEN, "acme", "acme/s1/L1")
    await audit.send_raw(Outgoing(SALES.name, broken, b"\xff not json"))
    await audit.producer.flush()
    await audit.caught_up()
    batches = [entry for entry in await audit.entries() if entry["type"] == "audit.batch.v1"]
    assert sum(entry["count"] for entry in batches) == 41, "what nobody can read is under the log all the same"
    consumer = kafka.plain_consumer(audit.settings, "test-reader")
    await consumer.start()
    for batch in batches:
        place = TopicPartition(SALES.on(audit.settings.namespace), batch["partition"])
        consumer.assign([place])
        consumer.seek(place, batch["first_offset"])
        total, at = hashlib.sha256(), batch["first_offset"]
        while at <= batch["last_offset"]:
            for record in (await consumer.getmany(timeout_ms=1000)).get(place, ()):
                if record.offset <= batch["last_offset"]:
                    total.update(
                        len(record.key).to_bytes(4, "big") + record.key + len(record.headers).to_bytes(4, "big")
                    )
                    for name, value in record.headers:
                        total.update(
                            len(name).to_bytes(4, "big") + name.encode() + len(value).to_bytes(4, "big") + value
                        )
                    total.update(len(record.value).to_bytes(4, "big") + record.value)
                at = record.offset + 1
        assert total.hexdigest() == batch["payload_sha256"]
    await consumer.stop()


async def test_a_repeat_is_dropped_and_a_reused_id_becomes_a_conflict_entry(audit: AuditBench) -> None:
    await audit.start()
    first = decision("a")
    await audit.send([recommendation("a"), first])
    await audit.caught_up()
    await audit.send([first, first])
    changed = Event(first.id, decision("a", quantity="99").body)
    await audit.send([changed, changed])
    await audit.caught_up()

    async def is_said() -> bool:
        return any(entry["type"] == "exception.raised.v1" for entry in await audit.entries())

    await audit.until(is_said, "the exception to come back into the log")
    entries = await audit.entries()
    kinds = [entry["type"] for entry in entries]
    assert kinds.count("decision.made.v1") == 1
    assert kinds.count("audit.conflict.v1") == 1, "the same conflict again is a repeat"
    conflict = next(entry for entry in entries if entry["type"] == "audit.conflict.v1")
    assert conflict["event_id"] == first.id and entries[conflict["conflicts_with_seq"]]["id"] == first.id
    await audit.caught_up()
    assert audit.verify("--from-service", "--tenant", "acme")[0] == 0


async def test_what_cannot_be_read_goes_to_the_dead_letters_and_stops_nothing(audit: AuditBench) -> None:
    await audit.start()
    for number, value in enumerate((b"{", b"[]", json.dumps({"tenant": "other"}).encode(), b"x" * 900_000)):
        envelope = Envelope(f"bad-{number}", "test", "decision.made.v1", WHEN, "acme", "rec")
        await audit.send_raw(Outgoing(DECISIONS.name, envelope, value))
    await audit.send(whole_story(1))
    await audit.caught_up()
    assert len([entry for entry in await audit.entries() if entry["type"] == "decision.made.v1"]) == 1
    dead = await audit.admin.fetchval("select count(*) from audit.outbox where topic = 'decisions.v1.dead'")
    assert dead == 4


async def test_tenants_have_logs_of_their_own(audit: AuditBench) -> None:
    await audit.start()
    await audit.send([item("s1"), item("s1b", tenant="other"), sale(1), sale(2, tenant="other")])
    await audit.caught_up()
    for tenant in ("acme", "other"):
        entries = await audit.entries(tenant)
        assert [entry["seq"] for entry in entries] == [0, 1]
        assert {entry["tenant"] for entry in entries} == {tenant}
        shown = (await audit.call("GET", "/audit/entries", tenant=tenant)).json()["items"]
        assert {one["entry"]["tenant"] for one in shown} == {tenant}
        assert audit.verify("--from-service", "--tenant", tenant)[0] == 0


async def test_the_api_answers_with_proofs_that_hold(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(80))
    await audit.caught_up()
    head = (await audit.call("GET", "/audit/checkpoint")).json()
    key, size, root = parse_vkey(head["key"]), head["size"], bytes.fromhex(head["root_hash"])
    assert size == 320
    for seq in (0, 1, 255, 256, 319):
        entry = (await audit.call("GET", f"/audit/entries/{seq}", "planner")).json()
        assert entry["payload"]["tenant"] == "acme" and entry["payload_state"] == "kept"
        leaf = bytes.fromhex(entry["leaf"])
        assert check_receipt(entry["receipt"], leaf, head["origin"], [key]).size == size
        proof = (await audit.call("GET", f"/audit/proof/inclusion?seq={seq}")).json()
        assert inclusion_holds(leaf, seq, size, [bytes.fromhex(one) for one in proof["proof"]], root)
    for old in (1, 255, 256, 319, 320):
        answer = (await audit.call("GET", f"/audit/proof/consistency?old={old}&new={size}")).json()
        proof = [bytes.fromhex(one) for one in answer["proof"]]
        assert consistency_holds(old, size, proof, bytes.fromhex(answer["old_root"]), root)
    bundle = decode_entries((await audit.call("GET", "/audit/log/tile/entries/000")).content)
    hashes = (await audit.call("GET", "/audit/log/tile/0/000")).content
    assert b"".join(leaf_hash(entry) for entry in bundle) == hashes
    assert len((await audit.call("GET", "/audit/log/tile/1/000.p/1")).content) == 32
    assert (await audit.call("GET", "/audit/log/checkpoint")).text == head["note"]
    by_item = (await audit.call("GET", "/audit/entries?item=s-7/L1")).json()["items"]
    assert [one["type"] for one in by_item] == ["recommendation.issued.v1", "decision.made.v1"]
    by_thread = (await audit.call("GET", "/audit/entries?thread=rec-7&order=newest")).json()["items"]
    assert by_thread[0]["type"] == "decision.made.v1"
    page = (await audit.call("GET", "/audit/entries?limit=100")).json()
    assert len(page["items"]) == 100 and page["next_cursor"] == 99
    assert (await audit.call("POST", "/audit/verification")).json()["ok"] is True
    assert (await audit.call("GET", "/audit/verification")).json()["entries_verified"] == 320


QUESTIONS_WITHOUT_ANSWER = {
    "/audit/entries/99999": 404,
    "/audit/proof/inclusion?seq=99999": 404,
    "/audit/proof/inclusion?seq=0&size=77": 404,
    "/audit/proof/consistency?old=0&new=1": 422,
    "/audit/proof/consistency?old=5&new=2": 400,
    "/audit/proof/consistency?old=1&new=99999": 404,
    "/audit/log/tile/0/1": 400,
    "/audit/log/tile/0/001": 404,
    "/audit/entries?limit=100000": 422,
    "/audit/entries?from_time=2017-11-05": 422,
    "/audit/entries/99999999999999999999999": 422,
}


async def test_questions_without_an_answer_get_a_problem_document(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(1))
    await audit.caught_up()
    for path, status in QUESTIONS_WITHOUT_ANSWER.items():
        answer = await audit.call("GET", path)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_only_the_right_callers_are_answered(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(1))
    await audit.caught_up()
    assert (await audit.call("GET", "/audit/export", "planner")).status_code == 403
    assert (await audit.call("POST", "/audit/verification", "planner")).status_code == 403
    assert (await audit.call("GET", "/audit/entries", "planner", tenant="stranger")).json()["items"] == []
    assert (await audit.call("GET", "/audit/entries/0", tenant="stranger")).status_code == 404


async def test_the_role_of_the_service_can_only_add(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(2))
    await audit.caught_up()
    role = await asyncpg.connect(audit.database_url)
    await role.execute("set search_path to audit; select set_config('app.tenant', 'acme', false)")
    try:
        assert await role.fetchval("select count(*) from entries") == 8
        for table in ("entries", "checkpoints", "tile_roots", "cosignatures"):
            for command in (f"update {table} set tenant = tenant", f"delete from {table}", f"truncate {table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await role.execute(command)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(
                "insert into entries select tenant, seq, event_hash, entry, leaf from entries on conflict (tenant, seq) do update set entry = 'x'"
            )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute("alter table entries disable trigger all")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute("delete from payloads")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute("update payloads set salt = null, value = null, erased_at = now() where not is_salted")
    finally:
        await role.close()
    for setting in ("origin", "replica"):
        await audit.admin.execute(f"set session_replication_role = {setting}")
        for command in (
            "update audit.entries set entry = entry",
            "delete from audit.entries",
            "truncate audit.entries",
            "delete from audit.payloads",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only grows"):
                await audit.admin.execute(command)
    await audit.admin.execute("set session_replication_role = origin")


async def test_orders_and_decisions_are_found_in_the_log_from_the_log_alone(audit: AuditBench) -> None:
    await audit.start()
    events = [recommendation("a"), decision("a"), order("a", "dec-a-1")]
    await audit.send(events)
    await audit.caught_up()
    code, _ = audit.verify("--from-service", "--tenant", "acme")
    assert code == 0
    export = (await audit.call("GET", "/audit/export")).content
    for event in events:
        assert base64.b64encode(event.value) in export


async def test_personal_data_can_be_erased_and_the_log_still_holds_and_says_so(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(1))
    await audit.caught_up()
    entries = await audit.entries()
    seq = next(entry["seq"] for entry in entries if entry["type"] == "decision.made.v1")
    path, why = f"/audit/entries/{seq}/erasure", {"reason": "request 17"}
    assert (await audit.call("POST", path, "auditor", json=why)).status_code == 403
    done = await audit.call("POST", path, "admin", json=why)
    assert done.status_code == 200, done.text
    assert (await audit.call("POST", path, "admin", json=why)).status_code == 409
    assert (await audit.call("POST", "/audit/entries/999/erasure", "admin", json=why)).status_code == 404
    order_seq = next(entry["seq"] for entry in entries if entry["type"] == "order.released.v1")
    assert (await audit.call("POST", f"/audit/entries/{order_seq}/erasure", "admin", json=why)).status_code == 409
    shown = (await audit.call("GET", f"/audit/entries/{seq}")).json()
    assert (shown["payload"], shown["payload_state"]) == (None, "erased")
    assert await audit.admin.fetchval("select count(*) from audit.payloads where value like '%Holiday%'::bytea") == 0
    await audit.send([decision("0")])  # Kafka may deliver it again: what was erased does not come back
    await audit.caught_up()
    code, facts = audit.verify("--from-service", "--tenant", "acme")
    assert (code, facts["payloads_erased"]) == (0, 1), facts["problem"]
    assert len(await audit.entries()) == 5


async def test_what_stands_beside_the_entries_is_made_again_from_them(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(80))
    await audit.caught_up()
    searched = (await audit.call("GET", "/audit/entries?item=s-7/L1")).json()
    audit.stop()
    database = await Database.open(audit.database_url, "audit", pool_max=2)
    try:
        again = await rebuilding.rebuild(database, lambda _done, _total: None)
        assert again.differing == [] and again.records >= 320
        async with database.transaction("acme") as tx:
            await tx.execute("delete from entry_terms where seq % 2 = 0")
            await tx.execute("update entry_terms set item = 's-8/L1'")
        mended = await rebuilding.rebuild(database, lambda _done, _total: None)
        assert (mended.differing, mended.after) == (["entry_terms"], again.after)
    finally:
        await database.close()
    await audit.start()
    assert (await audit.call("GET", "/audit/entries?item=s-7/L1")).json() == searched
    assert audit.verify("--from-service", "--tenant", "acme")[0] == 0


REWRITTEN = "convert_to(replace(convert_from(entry, 'UTF8'), '\"type\":\"', '\"type\":\"x'), 'UTF8')"
TAMPERING = {
    f"update audit.entries set entry = {REWRITTEN} where seq = 60": "leaf_differs",
    "delete from audit.entries where seq = 100": "entry_missing",
    "delete from audit.entries where seq >= 300": "entry_missing",
    "update audit.tile_roots set root = sha256('other')": "tile_differs",
    f"update audit.entries set entry = {REWRITTEN}, leaf = sha256('\\x00'::bytea || {REWRITTEN}) where seq = 60": "root_differs",
}


async def test_a_log_that_was_tampered_with_is_not_papered_over(audit: AuditBench) -> None:
    await audit.start()
    await audit.send(whole_story(80))
    await audit.caught_up()
    audit.stop()
    tables = ("entries", "tile_roots")
    for table in tables:
        await audit.admin.execute(f"alter table audit.{table} disable trigger only_grows")
        await audit.admin.execute(f"create table audit.{table}_kept as table audit.{table}")
    terms = await audit.admin.fetch("select * from audit.entry_terms order by tenant, seq")
    database = await Database.open(audit.database_url, "audit", pool_max=2)
    try:
        for tampering, code in TAMPERING.items():
            await audit.admin.execute(tampering)
            with pytest.raises(AuditRefusal) as refusal:
                await rebuilding.rebuild(database, lambda _done, _total: None)
            assert refusal.value.code == code, refusal.value
            assert await audit.admin.fetch("select * from audit.entry_terms order by tenant, seq") == terms
            for table in tables:
                await audit.admin.execute(
                    f"delete from audit.{table}; insert into audit.{table} table audit.{table}_kept"
                )
        assert (await rebuilding.rebuild(database, lambda _done, _total: None)).differing == []
    finally:
        await database.close()


async def test_key_is_replaced_without_anybody_losing_sight_of_the_log(audit: AuditBench) -> None:
    """Whoever knows only the old key follows while both sign; afterwards the new one signs, and the old heads stay good."""
    folder = audit.data_dir / "keys"
    key, pinned = folder / "audit.key", folder / "audit.vkey"
    await audit.start()
    await audit.send(whole_story(1))
    await audit.caught_up()
    (old,) = pinned.read_text("utf-8").split()
    audit.stop()

    key.rename(folder / "audit.key.retiring")
    await audit.start()
    await audit.send([item("NEW-KEY")])
    await audit.caught_up()
    new, still = pinned.read_text("utf-8").split()
    assert still == old != new
    note = (await audit.call("GET", "/audit/checkpoint")).json()["note"]
    name = parse_vkey(old).name + "/acme"
    for vkey in (old, new):
        public = parse_vkey(vkey)
        assert open_note(note, [Verifier(name, public.algorithm, public.public)]).signed_by
    exported = audit.data_dir / "export.jsonl"
    exported.write_bytes((await audit.call("GET", "/audit/export")).content)
    assert audit.verify(str(exported), "--key", old)[1]["problem"] is None
    audit.stop()

    (folder / "audit.key.retiring").unlink()
    await audit.start()
    await audit.send([item("OLD-KEY-IS-GONE")])
    await audit.caught_up()
    note = (await audit.call("GET", "/audit/checkpoint")).json()["note"]
    assert [one.key_id for one in parse_note(note)[1]] == [Verifier(name, 1, parse_vkey(new).public).key_id]
    code, facts = audit.verify("--from-service", "--tenant", "acme")
    assert (code, facts["problem"]) == (0, None)
    audit.stop()

    key.unlink()  # lost, not replaced: nobody vouches for the one that is made instead
    await audit.start()
    await audit.send([item("NOBODY-VOUCHES")])

    async def refused() -> bool:
        return "signing_refused" in audit.log() and "no_known_signature" in audit.log()

    await audit.until(refused, "the log not to be signed by a key nobody vouched for")
