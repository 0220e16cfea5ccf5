"""What an import reads before it writes: an honest export passes, every kind of damage and every foreign file is refused."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.audit.domain.batches import Record, batch_draft
from services.audit.domain.evidence import identity_of
from services.audit.domain.notes import COSIGNATURE, LOG_SIGNATURE, Verifier, signer
from services.audit.exporting import written
from services.audit.inspecting import ImportRefused, Inspected, inspect, tenant_of
from services.audit.portioning import portions
from tests.unit.audit.story import SIGNER, TENANT, digest_of, exported, whole_story

Records = list[dict[str, Any]]
ROOT = Path(__file__).resolve().parents[3]
WITNESS = signer("witness/1", COSIGNATURE, b"\x05" * 32)


def inspected(path: Path, **more: Any) -> Inspected:
    known: dict[str, Any] = {"origin": SIGNER.name, "tenant": TENANT, "keys": (SIGNER.verifier(),), "witnesses": ()}
    return inspect(path, **known | more)


def refused(path: Path, **more: Any) -> str:
    with pytest.raises(ImportRefused) as refusal:
        inspected(path, **more)
    code, why, way_out = refusal.value.args
    assert why and way_out, "a refusal says what, why and what next"
    return str(code)


def sealed(records: Records) -> Records:
    """As somebody would write it who knows how: the last line's digest fits. Only signatures and rules can show it."""
    return [*records[:-1], records[-1] | {"sha256": digest_of(records[:-1])}]


def at(records: Records, kind: str, number: int) -> int:
    return [place for place, record in enumerate(records) if record["record"] == kind][number]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "export.jsonl"


def test_honest_export_says_what_it_holds(file: Path) -> None:
    records = exported(whole_story(3))
    file.write_bytes(written(records))
    seen = inspected(file)
    assert (tenant_of(file), seen.size, seen.left_out, seen.findings.checkpoints) == (TENANT, 12, 0, 6)
    (portion,) = portions(file, seen)
    assert b"".join(line + b"\n" for _seq, line in portion.lines) == written(records[1:-1])
    assert [one.size for one in portion.checkpoints] == [2, 4, 6, 8, 10, 12]
    assert len({stands_for for _, stands_for, _, _ in portion.entries}) == 12


def flip_entry(records: Records) -> None:
    record = records[at(records, "entry", 3)]
    record["entry"] = record["entry"].replace("order-0", "order-9")


def flip_payload(records: Records) -> None:
    record = records[at(records, "payload", 1)]
    record["value"] = ("A" if record["value"][0] != "A" else "B") + record["value"][1:]


def flip_note(records: Records) -> None:
    record = records[at(records, "checkpoint", 1)]
    record["note"] = record["note"].replace("\n4\n", "\n5\n")


def delete_entry(records: Records) -> None:
    del records[at(records, "entry", 4) : at(records, "entry", 4) + 2]


def delete_payload(records: Records) -> None:
    del records[at(records, "payload", 4)]


def delete_last_head(records: Records) -> None:
    del records[at(records, "checkpoint", -1)]


def reorder(records: Records) -> None:
    one, other = at(records, "entry", 4), at(records, "entry", 5)
    records[one : one + 2], records[other : other + 2] = records[other : other + 2], records[one : one + 2]


def truncate(records: Records) -> None:
    del records[at(records, "entry", 8) : -1]


def foreign_entry(records: Records) -> None:
    record = records[at(records, "entry", 4)]
    record["entry"] = record["entry"].replace('"tenant":"acme"', '"tenant":"evil"')


def foreign_log(records: Records) -> None:
    records[0]["tenant"] = "evil"


def foreign_signer(records: Records) -> None:
    records[0]["vkeys"] = [signer(SIGNER.name, LOG_SIGNATURE, b"\x07" * 32).verifier().vkey()]


def no_time_of_signing(records: Records) -> None:
    del records[at(records, "checkpoint", 0)]["signed_at"]


def event_unknown(records: Records) -> None:
    del records[0]["origin"]


DAMAGE: dict[Callable[[Records], None], str] = {
    flip_entry: "root_differs",
    flip_payload: "payload_altered",
    flip_note: "signature_bad",
    delete_entry: "sequence_broken",
    delete_payload: "payload_missing",
    delete_last_head: "entries_not_signed",
    reorder: "sequence_broken",
    truncate: "log_truncated",
    foreign_entry: "foreign_entry",
    foreign_log: "other_tenant",
    foreign_signer: "key_not_trusted",
    no_time_of_signing: "not_importable",
    event_unknown: "export_malformed",
}


@pytest.mark.parametrize(("damage", "code"), DAMAGE.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_damage_is_refused_by_name_also_when_the_file_was_sealed_again(
    damage: Callable[[Records], None], code: str, file: Path
) -> None:
    records = exported(whole_story(3))
    damage(records)
    file.write_bytes(written(sealed(records)))
    assert refused(file) == code


def test_every_flipped_byte_and_every_missing_or_repeated_line_is_refused(file: Path) -> None:
    whole = written(exported(whole_story(2)))
    for place in range(0, len(whole), 13):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(file)
    lines = whole.splitlines(keepends=True)
    for place in range(len(lines)):
        file.write_bytes(b"".join(lines[:place] + lines[place + 1 :]))
        refused(file)
        file.write_bytes(b"".join(lines[: place + 1] + lines[place:]))
        refused(file)
    for place in range(1, len(lines)):
        file.write_bytes(b"".join([*lines[: place - 1], lines[place], lines[place - 1], *lines[place + 1 :]]))
        refused(file)
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        refused(file)
    file.write_bytes(whole[:-1])
    assert refused(file) == "export_malformed", "a last line without its end may be half a line"


def test_log_of_another_name_or_tenant_is_refused(file: Path) -> None:
    file.write_bytes(written(exported(whole_story(1))))
    assert refused(file, tenant="other") == "other_tenant"
    assert refused(file, origin="elsewhere/audit/acme") == "other_deployment"
    assert refused(file.with_name("nowhere.jsonl")) == "export_unreadable"
    file.write_bytes(b'{"record":"entry"}\n')
    with pytest.raises(ImportRefused, match="does not begin"):
        tenant_of(file)


def test_unsigned_entries_are_refused_or_left_out_when_told_so(file: Path) -> None:
    records = exported(whole_story(2), sign_every=3)
    del records[at(records, "checkpoint", -1)]
    file.write_bytes(written(sealed(records)))
    assert refused(file) == "entries_not_signed"
    seen = inspected(file, signed_only=True)
    assert (seen.size, seen.left_out) == (6, 2)
    (portion,) = portions(file, seen)
    assert (portion.end, len(portion.payloads), len(portion.terms)) == (6, 6, 6)


def test_cosignatures_are_taken_only_from_witnesses_that_are_known(file: Path) -> None:
    records = exported(whole_story(1))
    head = records[at(records, "checkpoint", -1)]
    head["cosignatures"] = [WITNESS.cosignature_line(head["note"].split("\n\n")[0] + "\n", 1_700_000_000)]
    file.write_bytes(written(sealed(records)))
    assert refused(file) == "cosigner_unknown"
    seen = inspected(file, witnesses=(WITNESS.verifier(),))
    (portion,) = portions(file, seen)
    assert portion.cosignatures == [(4, "witness/1", head["cosignatures"][0])]
    other = signer("witness/1", COSIGNATURE, b"\x06" * 32).verifier()
    assert refused(file, witnesses=(Verifier("witness/1", COSIGNATURE, other.public),)) == "cosigner_unknown"
    forged = copy.deepcopy(records)
    forged[at(forged, "checkpoint", 0)]["cosignatures"] = head["cosignatures"]
    file.write_bytes(written(sealed(forged)))
    assert refused(file, witnesses=(WITNESS.verifier(),)) == "signature_bad"


def test_file_that_changes_between_the_readings_is_refused(file: Path) -> None:
    whole = written(exported(whole_story(2)))
    file.write_bytes(whole)
    seen = inspected(file)
    for changed in (whole.replace(b'"settled_size":8', b'"settled_size":7'), whole[:-40] + b"\n", b"[]\n"):
        file.write_bytes(changed)
        with pytest.raises(ImportRefused) as refusal:
            list(portions(file, seen))
        assert refusal.value.code == "export_changed"


def test_event_behind_an_entry_is_known_from_it_unless_its_id_was_cut() -> None:
    event = {"type": "decision.made.v1", "id": "d-1", "source": "erp"}
    assert identity_of(event) == ("erp", "d-1")
    assert identity_of(event | {"id": "x" * 200}) is None
    assert identity_of(event | {"type": "audit.conflict.v1"}) == ("countersign/audit", "d-1")
    draft = batch_draft("sales.v1", 0, [Record(0, 0, b"", b"", ())], batch_id="b-1")
    assert identity_of({"type": draft.type, "id": draft.id}) == ("countersign/audit", "b-1")


def test_service_that_answers_http_does_not_know_how_to_import() -> None:
    program = "import sys, services.audit.main; print([n for n in sys.modules if n.startswith('services.audit.')])"
    known = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "services.audit.exporting" in known
    for module in ("importing", "inspecting", "portioning", "store.restoring"):
        assert f"services.audit.{module}'" not in known
