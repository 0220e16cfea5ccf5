"""Signed notes, checkpoints, cosignatures and receipts against the published vectors and hostile texts."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.domain.checkpoints import (
    Checkpoint,
    Receipt,
    check_receipt,
    open_checkpoint,
    parse_checkpoint,
    parse_receipt,
)
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.notes import COSIGNATURE, LOG_SIGNATURE, open_note, parse_vkey, signer, write_note
from tests.unit.audit.vectors import VECTORS

CASE = VECTORS["checkpoint"]
LOG = parse_vkey(CASE["log_vkey"])
WITNESS = parse_vkey(CASE["witness_vkey"])
LOG_SIGNER = signer(LOG.name, LOG_SIGNATURE, hashlib.sha256(CASE["log_seed_label"].encode()).digest())
WITNESS_SIGNER = signer(WITNESS.name, COSIGNATURE, hashlib.sha256(CASE["witness_seed_label"].encode()).digest())


def test_the_test_keys_give_the_published_vkeys_note_and_cosignature() -> None:
    assert LOG_SIGNER.verifier().vkey() == CASE["log_vkey"]
    assert WITNESS_SIGNER.verifier().vkey() == CASE["witness_vkey"]
    line = LOG_SIGNER.signature_line(CASE["text"])
    assert write_note(CASE["text"], [line]) == CASE["note"]
    cosignature = WITNESS_SIGNER.cosignature_line(CASE["text"], CASE["witness_timestamp"])
    assert cosignature == CASE["cosignature_line"]
    assert write_note(CASE["text"], [line, cosignature]) == CASE["cosigned_note"]


def test_the_published_example_of_c2sp_opens() -> None:
    example = CASE["published_note_example"]
    assert open_note(example["note"], [parse_vkey(example["vkey"])]).text == "This is an example message.\n"


def test_a_cosigned_note_says_who_saw_it_when() -> None:
    opened = open_note(CASE["cosigned_note"], [LOG, WITNESS])
    assert opened.signed_by == ((LOG, None), (WITNESS, CASE["witness_timestamp"]))


def test_unknown_keys_are_passed_over_and_none_known_is_refused() -> None:
    assert open_note(CASE["cosigned_note"], [LOG]).signed_by == ((LOG, None),)
    with pytest.raises(AuditRefusal, match="no_known_signature"):
        open_note(CASE["note"], [WITNESS])


def test_a_known_key_that_fails_spoils_a_note_others_signed() -> None:
    forged = CASE["cosigned_note"].replace("\n8\n", "\n9\n")
    with pytest.raises(AuditRefusal, match="signature_bad"):
        open_note(forged, [LOG])
    other_time = WITNESS_SIGNER.cosignature_line("o\n", 1)
    with pytest.raises(AuditRefusal, match="signature_bad"):
        open_note(CASE["note"] + other_time, [LOG, WITNESS])


def test_twenty_signatures_are_read() -> None:
    strangers = [
        signer(f"stranger-{n}", LOG_SIGNATURE, bytes([n]) * 32).signature_line(CASE["text"]) for n in range(20)
    ]
    note = write_note(CASE["text"], [*strangers, LOG_SIGNER.signature_line(CASE["text"])])
    assert open_note(note, [LOG]).text == CASE["text"]


def test_the_last_blank_line_splits_text_and_signatures() -> None:
    text = "one\n\ntwo\n"
    note = write_note(text, [LOG_SIGNER.signature_line(text)])
    assert open_note(note, [LOG]).text == text


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        CASE["note"][:-1],
        CASE["note"].replace("\u2014", "-"),
        CASE["note"] + "x\n",
        CASE["note"].replace("audit.", "au\tdit."),
    ],
)
def test_malformed_notes_are_refused(note: str) -> None:
    with pytest.raises(AuditRefusal):
        open_note(note, [LOG])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "a+b",
        "a+00000000+AAAA",
        CASE["log_vkey"].replace("15ad6809", "15ad6808"),
        " a+15ad6809+AdJT",
        "a b+00000000+AdJT",
    ],
)
def test_malformed_vkeys_are_refused(vkey: str) -> None:
    with pytest.raises(AuditRefusal):
        parse_vkey(vkey)


@settings(deadline=None)
@given(st.integers(0, len(CASE["note"]) - 1), st.characters(codec="utf-8"))
def test_no_other_character_anywhere_leaves_a_note_of_the_same_meaning(place: int, other: str) -> None:
    changed = CASE["note"][:place] + other + CASE["note"][place + 1 :]
    if changed == CASE["note"]:
        return
    with pytest.raises(AuditRefusal):
        open_checkpoint(changed, LOG.name, [LOG])


def test_checkpoint_text_of_the_vectors() -> None:
    checkpoint = open_checkpoint(CASE["note"], LOG.name, [LOG])
    assert checkpoint.text() == CASE["text"]
    assert checkpoint.size == 8
    assert parse_checkpoint(CASE["empty_tree_text"]).size == 0


@pytest.mark.parametrize("text", CASE["must_reject_texts"])
def test_must_reject_texts(text: str) -> None:
    with pytest.raises(AuditRefusal):
        parse_checkpoint(text)


@pytest.mark.parametrize("size", ["+8", "8.0", "8 ", "٨", str(2**63), "1" * 30])
def test_other_spellings_of_a_size_are_refused(size: str) -> None:
    with pytest.raises(AuditRefusal, match="size_malformed"):
        parse_checkpoint(CASE["text"].replace("\n8\n", f"\n{size}\n"))


def test_a_checkpoint_of_another_log_is_refused() -> None:
    with pytest.raises(AuditRefusal, match="checkpoint_of_other_log"):
        open_checkpoint(CASE["note"], "audit.example.test/tenant-b", [LOG])


def test_receipt_of_the_vectors_holds_and_is_written_alike() -> None:
    case = VECTORS["tlog_proof"]
    leaf = leaf_hash(bytes.fromhex(case["leaf_hex"]))
    assert check_receipt(case["text"], leaf, LOG.name, [LOG, WITNESS]) == Checkpoint(
        LOG.name, 8, parse_checkpoint(CASE["text"]).root
    )
    assert parse_receipt(case["text"]).text() == case["text"]
    with pytest.raises(AuditRefusal, match="proof_does_not_hold"):
        check_receipt(case["text"], leaf_hash(b"other"), LOG.name, [LOG])
    with pytest.raises(AuditRefusal, match="proof_does_not_hold"):
        check_receipt(case["text"].replace("index 5", "index 4"), leaf, LOG.name, [LOG])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x\n\ny",
        "c2sp.org/tlog-proof@v1\nindex 05\n\nn\n",
        "c2sp.org/tlog-proof@v1\nindex 5\nAAAA\n\nn\n",
        "c2sp.org/tlog-proof@v1\n\nn",
    ],
)
def test_malformed_receipts_are_refused(text: str) -> None:
    with pytest.raises(AuditRefusal):
        parse_receipt(text)


def test_receipt_without_hashes_is_that_of_a_log_of_one() -> None:
    assert parse_receipt(Receipt(0, (), CASE["note"]).text()) == Receipt(0, (), CASE["note"])
