"""`derive`: finds the event however an export wraps it, compares bytes, and says where they differ."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.policy.derive import AGREES, DIFFERS, NOT_FOUND, main
from tests.unit.policy.examples import PLAIN
from tests.unit.policy.test_cascade import recommended


@pytest.fixture
def event() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(dict(recommended(PLAIN).document)))
    return document | {"line_id": "line-1", "run_id": "run-1", "supersedes": "older"}


def written(folder: Path, document: Any) -> str:
    path = folder / "export.json"
    path.write_text(json.dumps(document), "utf-8")
    return str(path)


def test_equal_bytes_from_a_lone_event(
    event: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([event["recommendation_id"], "--from", written(tmp_path, event)]) == AGREES
    assert "equal bytes" in capsys.readouterr().out


def test_an_event_inside_an_export_is_found_even_as_text(event: dict[str, Any], tmp_path: Path) -> None:
    wrapped = {"entries": [{"payload": json.dumps({"other": 1})}, {"payload": json.dumps(event)}]}
    written(tmp_path, wrapped)
    (tmp_path / "key.bin").write_bytes(b"\xff\xfe\x00")
    assert main([event["recommendation_id"], "--from", str(tmp_path)]) == AGREES


def test_an_export_of_the_audit_log_holds_what_was_published_as_base64(
    event: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    erased = {"record": "payload", "sha256": "0", "salted": True, "salt": None, "value": None}
    other, told = (
        erased | {"value": base64.b64encode(json.dumps(one).encode()).decode()} for one in ({"other": 1}, event)
    )
    head = {"record": "log", "format": "countersign-audit-export/1", "tenant": "acme"}
    lines = [head, {"record": "entry", "seq": 0, "entry": "{}"}, erased, other, told, {"record": "end", "size": 3}]
    exported = b"".join(orjson.dumps(one) + b"\n" for one in lines)
    (tmp_path / "log.jsonl").write_bytes(exported)
    assert main([event["recommendation_id"], "--from", str(tmp_path / "log.jsonl")]) == AGREES
    assert main(["--all", "--from", str(tmp_path)]) == AGREES
    assert "1 of 1 recommendations derived again" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(exported)))
    assert main([event["recommendation_id"], "--from", "-"]) == AGREES
    (tmp_path / "log.jsonl").write_bytes(exported[:-9])
    assert main(["--all", "--from", str(tmp_path)]) == NOT_FOUND
    assert "line 6 of the export is cut off or damaged" in capsys.readouterr().err


def test_another_quantity_than_the_evidence_gives_is_named(
    event: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event["quantity"] = "999"
    assert main([event["recommendation_id"], "--from", written(tmp_path, event)]) == DIFFERS
    assert "differs in quantity" in capsys.readouterr().err


def test_evidence_changed_after_publication_is_seen_by_its_hash(
    event: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event["evidence"]["stock"]["on_hand"] = "3"
    assert main([event["recommendation_id"], "--from", written(tmp_path, event)]) == DIFFERS
    assert "was changed" in capsys.readouterr().err


def test_an_unknown_recommendation_says_what_to_do(
    event: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nobody", "--from", written(tmp_path, event)]) == NOT_FOUND
    assert "export the audit log" in capsys.readouterr().err


def test_all_of_an_export_are_counted_and_those_that_differ_are_named(
    event: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"seq": number, "payload": json.dumps(event)}) for number in range(3)]
    (tmp_path / "entries.jsonl").write_text("\n".join([*lines, '{"seq": 9, "payload": "{}"}']), "utf-8")
    assert main(["--all", "--from", str(tmp_path)]) == AGREES
    assert "3 of 3 recommendations derived again" in capsys.readouterr().out
    written(tmp_path, [event, event | {"quantity": "999"}, event | {"evidence": {}}])
    assert main(["--all", "--from", str(tmp_path)]) == DIFFERS
    told = capsys.readouterr()
    assert "4 of 6" in told.out
    assert "differs in quantity" in told.err and "was changed" in told.err


def test_nothing_to_derive_is_no_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--all", "--from", str(tmp_path)]) == NOT_FOUND
    assert main(["--all", "--from", str(tmp_path / "nothing.json")]) == NOT_FOUND
    assert "cannot be read" in capsys.readouterr().err
