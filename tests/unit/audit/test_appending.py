"""Appending and what becomes of an event: repeats, conflicts, facts, salts, batches, forks."""

import uuid
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.domain.appending import CONFLICT_TYPE, Appended, Candidate, Known, append
from services.audit.domain.batches import Record, batch_draft, records_digest
from services.audit.domain.checkpoints import Checkpoint, origin_of
from services.audit.domain.entries import decode_entry
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.evidence import Source, event_draft, item_of
from services.audit.domain.merkle import CompactRange, leaf_hash, root_of
from services.audit.guard import Guard
from services.audit.store.growing import conflict_id, matches
from tests.unit.audit.story import WHEN, Event, candidate, decision, item, recommendation


def appended(
    candidates: list[Candidate], head: CompactRange | None = None, known: dict[UUID, Known] | None = None
) -> Appended:
    return append("acme", head or CompactRange(), candidates, known or {}, matches=matches, conflict_id=conflict_id)


def known_after(done: Appended) -> dict[UUID, Known]:
    return {
        one.event_hash: Known(one.seq, one.draft.payload_sha256, one.payload.salt if one.payload else None)
        for one in done.entries
    }


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), max_size=40), st.integers(0, 40))
def test_however_events_repeat_and_batches_fall_the_log_is_the_same(numbers: list[int], cut: int) -> None:
    stream = [candidate(item(f"s{number}"), number) for number in numbers]
    whole = appended(stream)
    first = appended(stream[:cut])
    second = appended(stream[cut:], first.head, known_after(first))
    assert [one.raw for one in (*first.entries, *second.entries)] == [one.raw for one in whole.entries]
    assert second.head == whole.head
    assert whole.head.root() == root_of(leaf_hash(one.raw) for one in whole.entries)
    assert whole.repeats + len(whole.entries) == len(numbers)
    assert [decode_entry(one.raw)["seq"] for one in whole.entries] == list(range(len(whole.entries)))


@pytest.mark.parametrize("event", [recommendation("a"), decision("a")], ids=["plain", "salted"])
def test_the_same_id_with_other_content_is_a_conflict_once(event: Event) -> None:
    first = candidate(event)
    other = candidate(Event(event.id, event.body.model_copy(update={"quantity": 99})))
    done = appended([first, other, other, first])
    assert [one.draft.type for one in done.entries] == [event.body.TYPE, CONFLICT_TYPE]
    assert (len(done.conflicts), done.repeats) == (1, 2)
    conflict = decode_entry(done.entries[1].raw)
    assert (conflict["event_id"], conflict["conflicts_with_seq"]) == (event.id, 0)
    later = appended([other], done.head, known_after(done))
    assert (later.entries, later.repeats) == ((), 1)


def test_what_was_erased_is_taken_for_the_same() -> None:
    event = candidate(decision("a"))
    erased = {event.event_hash: Known(0, event.draft.payload_sha256, None, is_erased=True)}
    assert appended([event], CompactRange().extend([b"\x00" * 32])[0], erased).repeats == 1


def test_an_event_too_large_for_an_entry_is_refused_by_name() -> None:
    event = candidate(item("s1"))
    huge = replace(event, draft=replace(event.draft, fields={"name": "x" * 70_000}))
    with pytest.raises(AuditRefusal, match=f"entry_too_large: event {event.draft.id}"):
        appended([huge])


def test_a_decision_says_who_what_and_under_which_limits() -> None:
    entry = decode_entry(appended([candidate(decision("a", by="u-7"))]).entries[0].raw)
    assert entry["actor"] == {"sub": "u-7", "role": "planner"}
    assert (entry["verdict"], entry["version"], entry["quantity"]) == ("approved", 1, "12")
    assert entry["limit_second_signature_above"] == "5000"
    assert entry["payload_form"] == "salted"
    assert "note" not in entry, "what a person wrote is in the payload, where it can be erased"
    assert item_of(entry) == "s-a/L1"


def test_entry_of_an_account_says_who_may_what_by_whom_and_no_name() -> None:
    source = Source(
        "id", "countersign/gateway", "account.changed.v1", WHEN, "demo/anna", None, None, None, "accounts.v1", 0, 7
    )
    body = {
        "username": "anna",
        "name": "Anna Berg",
        "change": "changed",
        "roles": ["approver", "planner"],
        "active": True,
    }
    body |= {"roles_before": ["planner"], "signs_in_by": "password", "changed_by": "eva", "role": "admin"}
    entry = decode_entry(appended([Candidate(uuid.uuid4(), event_draft(source, body, "0" * 64), None)]).entries[0].raw)
    assert (entry["actor"], entry["subject"]) == ({"sub": "eva", "role": "admin"}, "demo/anna")
    assert (entry["roles_before"], entry["roles"], entry["active"]) == ("planner", "approver, planner", "yes")
    assert entry["payload_form"] == "salted"
    assert "name" not in entry, "what people are called is in the payload, where it can be erased"


def test_hostile_attributes_never_make_an_entry_that_cannot_be_written() -> None:
    long = "\u20ac" * 5_000
    source = Source(long, long, "decision.made.v1", WHEN, long, long, long, long, "decisions.v1", 0, 0)
    body = {
        "decided_by": None,
        "role": ["x"],
        "version": 1.5,
        "verdict": "",
        "limits": {"\u20ac": "1", "a": 2},
        "sku": 2**60,
    }
    draft = event_draft(source, body, "0" * 64)
    event = Candidate(uuid.uuid4(), draft, None)
    entry = decode_entry(appended([event]).entries[0].raw)
    assert not {"version", "verdict", "sku", "limit_a"} & entry.keys()


def test_a_batch_names_its_offsets_and_every_byte_counts() -> None:
    records = [Record(n, 1_500_000_000_000, b"k", b"v", (("h", b"x"),)) for n in (4, 5, 9)]
    draft = batch_draft("sales.v1", 2, records, batch_id="b")
    assert (draft.fields["first_offset"], draft.fields["last_offset"], draft.fields["count"]) == (4, 9, 3)
    digest = records_digest(records)
    for changed in (
        records[1]._replace(key=None),
        records[1]._replace(key=b""),
        records[1]._replace(value=None),
        records[1]._replace(headers=()),
        records[1]._replace(headers=(("h", None),)),
        records[1]._replace(key=b"kv", value=b""),
    ):
        assert records_digest([records[0], changed, records[2]]) != digest
    assert records_digest(records[::-1]) == digest, "offsets are in the entry; these three records are equal bytes"


def test_tenants_of_any_spelling_have_a_name_that_keys_can_carry() -> None:
    assert origin_of("prod", "Bäckerei + Söhne") == "prod/audit/B%C3%A4ckerei%20%2B%20S%C3%B6hne"


async def test_two_published_heads_of_one_size_stop_the_signing() -> None:
    guard = Guard()
    guard.learn("acme", Checkpoint("o", 5, b"\x01" * 32))
    guard.learn("acme", Checkpoint("o", 5, b"\x02" * 32))
    with pytest.raises(AuditRefusal, match="log_forked"):
        await guard.check(None, "acme", CompactRange())  # type: ignore[arg-type]
    await guard.check(None, "other", CompactRange())  # type: ignore[arg-type]
