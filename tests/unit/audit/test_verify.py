"""The stranger's check: an honest log passes, and every way to tamper with one is found and named."""

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.audit.domain.notes import COSIGNATURE, LOG_SIGNATURE, parse_vkey, signer
from services.audit.verify.command import main
from services.audit.verify.findings import Findings
from services.audit.verify.verification import Trust, Verification
from tests.unit.audit.story import SIGNER, Event, decision, exported, item, order, recommendation, whole_story

Records = list[dict[str, Any]]
TRUST = Trust(keys=(SIGNER.verifier(),))


def verified(records: Records, trust: Trust = TRUST) -> Findings:
    verification = Verification(trust)
    for record in records:
        verification.feed(json.dumps(record).encode())
    return verification.finish()


def broken(records: Records, trust: Trust = TRUST) -> tuple[str, int | None]:
    problem = verified(records, trust).problem
    assert problem is not None, "the tampering was not found"
    return problem.code, problem.seq


def places(records: Records, kind: str) -> list[int]:
    return [place for place, record in enumerate(records) if record["record"] == kind]


def test_an_honest_log_holds_and_says_what_was_proven() -> None:
    findings = verified(exported(whole_story(5)))
    assert findings.ok, findings.problem
    facts = findings.document()
    assert (facts["entries_verified"], facts["checkpoints_verified"], facts["payloads_verified"]) == (20, 10, 20)
    assert (facts["decisions"], facts["orders"], facts["references_open"]) == (5, 5, 0)
    assert facts["checkpoint_size"] == 20 and facts["entries_not_signed_yet"] == 0


def flip_entry(records: Records) -> None:
    place = places(records, "entry")[3]
    records[place]["entry"] = (
        records[place]["entry"].replace('"quantity":"12"', '"quantity":"13"').replace("order-0", "order-9")
    )


def delete_entry(records: Records) -> None:
    place = places(records, "entry")[4]
    del records[place : place + 2]


def swap_entries(records: Records) -> None:
    first, second = places(records, "entry")[4], places(records, "entry")[5]
    records[first], records[second] = records[second], records[first]
    records[first + 1], records[second + 1] = records[second + 1], records[first + 1]


def renumbered_swap(records: Records) -> None:
    swap_entries(records)
    for seq, place in enumerate(places(records, "entry")):
        body = json.loads(records[place]["entry"])
        records[place]["entry"] = json.dumps(body | {"seq": seq}, sort_keys=True, separators=(",", ":"))


def drop_tail(records: Records) -> None:
    del records[places(records, "entry")[8] :]
    records.append({"record": "end", "size": 8})


def alter_payload(records: Records) -> None:
    place = places(records, "payload")[1]
    value = base64.b64decode(records[place]["value"]).replace(b'"quantity":"12"', b'"quantity":"99"')
    records[place]["value"] = base64.b64encode(value).decode()


def lose_payload(records: Records) -> None:
    del records[places(records, "payload")[1]]


def blank_payload(records: Records) -> None:
    records[places(records, "payload")[1]]["value"] = None


def erase_in_secret(records: Records) -> None:
    place = places(records, "payload")[2]
    records[place] |= {"value": None, "salt": None}


def move_salt_into_payload(records: Records) -> None:
    """The hash is over both, so that it stays: who restored this would keep the person's words under no salt."""
    payload = records[places(records, "payload")[2]]
    whole = base64.b64decode(payload["salt"]) + base64.b64decode(payload["value"])
    payload |= {"salted": False, "salt": None, "value": base64.b64encode(whole).decode()}


def move_payload_into_salt(records: Records) -> None:
    payload = records[places(records, "payload")[2]]
    payload |= {
        "salt": base64.b64encode(base64.b64decode(payload["salt"]) + base64.b64decode(payload["value"])).decode()
    }
    payload |= {"value": ""}


def keep_salt_of_erased(records: Records) -> None:
    records[places(records, "payload")[2]]["value"] = None


def move_checkpoint(records: Records) -> None:
    first, second = places(records, "checkpoint")[:2]
    records[first]["note"] = records[second]["note"]


def forge_checkpoint(records: Records) -> None:
    place = places(records, "checkpoint")[1]
    records[place]["note"] = records[place]["note"].replace("\n4\n", "\n5\n")


def drop_checkpoints(records: Records) -> None:
    records[:] = [record for record in records if record["record"] != "checkpoint"]


def insert_blank(records: Records) -> None:
    place = places(records, "entry")[2]
    records[place]["entry"] = records[place]["entry"].replace('{"', '{ "', 1)


def repeat_entry(records: Records) -> None:
    place = places(records, "entry")[2]
    records[place:place] = copy.deepcopy(records[place : place + 2])


def foreign_key(records: Records) -> None:
    records[0]["vkeys"] = [signer(SIGNER.name, LOG_SIGNATURE, b"\x07" * 32).verifier().vkey()]


def cut_short(records: Records) -> None:
    del records[-1]


def no_header(records: Records) -> None:
    del records[0]


def after_the_end(records: Records) -> None:
    records.append(records[1])


@pytest.mark.parametrize(
    ("tamper", "code", "seq"),
    [
        (flip_entry, "root_differs", 2),
        (delete_entry, "sequence_broken", 4),
        (swap_entries, "sequence_broken", 4),
        (renumbered_swap, "root_differs", 4),
        (drop_tail, "log_truncated", 8),
        (alter_payload, "payload_altered", 1),
        (lose_payload, "payload_missing", 1),
        (blank_payload, "payload_missing", 1),
        (erase_in_secret, "erasure_not_logged", 2),
        (move_salt_into_payload, "payload_altered", 2),
        (move_payload_into_salt, "payload_altered", 2),
        (keep_salt_of_erased, "payload_altered", 2),
        (move_checkpoint, "checkpoint_misplaced", 2),
        (forge_checkpoint, "signature_bad", 4),
        (drop_checkpoints, "not_signed", 0),
        (insert_blank, "not_canonical", 2),
        (repeat_entry, "sequence_broken", 3),
        (foreign_key, "key_not_trusted", None),
        (cut_short, "log_truncated", 12),
        (no_header, "export_malformed", None),
        (after_the_end, "export_malformed", None),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_tampering_is_found_and_named(tamper: Callable[[Records], None], code: str, seq: int | None) -> None:
    records = exported(whole_story(3))
    tamper(records)
    assert broken(records) == (code, seq)


def test_every_flipped_character_of_every_entry_is_found() -> None:
    records = exported(whole_story(1), sign_every=1)
    for place in places(records, "entry"):
        text = records[place]["entry"]
        for at in range(0, len(text), 7):
            changed = copy.deepcopy(records)
            changed[place]["entry"] = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
            assert verified(changed).problem is not None


def test_a_restored_backup_is_found_by_a_checkpoint_kept_elsewhere() -> None:
    newest = exported(whole_story(3))
    backup = exported(whole_story(2))
    kept = newest[places(newest, "checkpoint")[-1]]["note"]
    assert verified(backup).ok, "an old state is consistent in itself"
    assert broken(backup, Trust(keys=TRUST.keys, notes=(kept,))) == ("log_truncated", 8)
    assert verified(newest, Trust(keys=TRUST.keys, notes=(kept,))).outside_checkpoints == 1


def test_a_rewritten_and_resigned_history_is_found_by_a_checkpoint_kept_elsewhere() -> None:
    honest, rewritten = whole_story(3), whole_story(3)
    rewritten[4] = item("s-1", name="Other milk")
    kept = [record["note"] for record in exported(honest) if record["record"] == "checkpoint"]
    other = exported(rewritten)
    assert verified(other).ok, "a new history signed with the stolen key is consistent in itself"
    assert broken(other, Trust(keys=TRUST.keys, notes=tuple(kept))) == ("history_rewritten", 5)


def test_cosignatures_count_only_from_known_witnesses() -> None:
    witness = signer("witness/1", COSIGNATURE, b"\x05" * 32)
    records = exported(whole_story(1))
    last = records[places(records, "checkpoint")[-1]]
    last["cosignatures"] = [witness.cosignature_line(last["note"].split("\n\n")[0] + "\n", 1_700_000_000)]
    needs = Trust(keys=TRUST.keys, witnesses=(witness.verifier(),), cosignatures_needed=1)
    assert verified(records, needs).cosignatures == 1
    stranger = Trust(
        keys=TRUST.keys, witnesses=(signer("witness/2", COSIGNATURE, b"\x06" * 32).verifier(),), cosignatures_needed=1
    )
    assert broken(records, stranger) == ("cosignatures_missing", None)
    last["cosignatures"] = [witness.cosignature_line("another text\n", 1_700_000_000)]
    assert broken(records, needs)[0] == "signature_bad"


@pytest.mark.parametrize(
    ("events", "code", "seq"),
    [
        ([decision("a")], "decided_without_recommendation", 0),
        ([recommendation("a"), decision("a", 1), decision("a", 3)], "decision_missing", 2),
        ([recommendation("a"), order("a", "dec-a-1")], "ordered_without_decision", 1),
        ([recommendation("a"), decision("a", 1, "rejected"), order("a", "dec-a-1")], "ordered_without_approval", 2),
        ([recommendation("a"), decision("a"), order("a", "dec-a-1", quantity="13")], "ordered_other_quantity", 2),
        (
            [recommendation("a"), decision("a"), order("a", "dec-a-1", recommended="rec-b")],
            "ordered_other_recommendation",
            2,
        ),
        ([recommendation("a"), decision("a", 1, "approved_by_rule", value="51")], "rule_above_limit", 1),
        ([recommendation("a"), decision("a", 1, "approved", value="5001")], "one_signature", 1),
        (
            [
                recommendation("a"),
                decision("a", 1, "amended", by="x", value="5001"),
                decision("a", 2, "approved", by="x", value="5001"),
            ],
            "own_amendment_approved",
            2,
        ),
        (
            [
                recommendation("a"),
                decision("a", 1, "first_signature", by="x", value="5001"),
                decision("a", 2, "approved", by="x", value="5001"),
            ],
            "same_signer",
            2,
        ),
        (
            [recommendation("a"), decision("a", 1, "amended", value="5001"), order("a", "dec-a-1")],
            "ordered_without_approval",
            2,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_breaches_of_the_business_rules_are_found(events: list[Event], code: str, seq: int) -> None:
    assert broken(exported(events)) == (code, seq)


@pytest.mark.parametrize(
    "events",
    [
        [decision("a"), recommendation("a")],
        [recommendation("a"), decision("a", 2, "first_signature"), decision("a", 1, "snoozed")],
        [recommendation("a"), decision("a", 1, "amended", value="4999"), order("a", "dec-a-1")],
        [
            recommendation("a"),
            decision("a", 1, "first_signature", by="x", value="9000"),
            decision("a", 2, by="y", value="9000"),
            order("a", "dec-a-2"),
        ],
        [
            recommendation("a"),
            decision("a", 1, "amended", by="x", value="9000"),
            decision("a", 2, by="y", value="9000"),
        ],
    ],
    ids=[
        "read in another order",
        "versions read in another order",
        "small amendment",
        "two signatures",
        "amendment signed by another",
    ],
)
def test_what_the_rules_allow_passes(events: list[Event]) -> None:
    findings = verified(exported(events))
    assert findings.ok, findings.problem


def test_references_of_entries_that_came_while_catching_up_are_open_and_said() -> None:
    findings = verified(exported([recommendation("a"), decision("b")], settled=1))
    assert findings.ok and findings.unresolved == 1
    assert any("catching up" in warning for warning in findings.warnings)


def write(path: Path, records: Records) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return str(path)


def test_the_command_tells_ok_and_broken_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    honest, tampered = exported(whole_story(3)), exported(whole_story(3))
    flip_entry(tampered)
    key = SIGNER.verifier().vkey()
    assert main([write(tmp_path / "good.jsonl", honest), "--key", key, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert main([write(tmp_path / "bad.jsonl", tampered), "--key", key, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problem"]["seq"] == 2
    assert main([write(tmp_path / "bad.jsonl", tampered)]) == 1
    assert "BROKEN at entry 2" in capsys.readouterr().out
    assert main([str(tmp_path / "missing.jsonl")]) == 2
    assert main([]) == 2


def test_the_command_remembers_and_finds_the_older_state_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = str(tmp_path / "memory" / "acme.note")
    assert main([write(tmp_path / "new.jsonl", exported(whole_story(3))), "--memory", memory]) == 0
    assert main([write(tmp_path / "old.jsonl", exported(whole_story(2))), "--memory", memory]) == 1
    assert "older state was restored" in capsys.readouterr().out


def test_without_a_pinned_key_the_warning_says_so() -> None:
    assert any("--key" in warning for warning in verified(exported(whole_story(1)), Trust()).warnings)
    other = parse_vkey(signer(SIGNER.name, LOG_SIGNATURE, b"\x09" * 32).verifier().vkey())
    assert broken(exported(whole_story(1)), Trust(keys=(other,)))[0] == "key_not_trusted"


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b'"x"', b'{"record":"log"}', b'{"record":"log","format":"countersign-audit-export/1"}', b"\xff"],
)
def test_hostile_lines_end_in_a_finding_not_in_a_crash(line: bytes) -> None:
    verification = Verification()
    verification.feed(line)
    assert verification.finish().problem is not None
