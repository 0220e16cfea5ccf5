"""Endings become exit codes; a failure is told in words or, with --json, as one object on standard output."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import main as table
from cli.errors import Exit, Trouble
from cli.main import main
from cli.platform.local import LocalPlatform


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_ADMIN_URL", "DATA_DIR"):
        monkeypatch.delenv(f"COUNTERSIGN_{name}", raising=False)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == Exit.USAGE
    assert "frobnicate" in capsys.readouterr().err


def test_help_shows_examples_and_every_command_without_importing_those_that_live_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == Exit.OK
    said = capsys.readouterr().out
    assert "./run demo --smoke --json" in said
    for command in ("up", "down", "status", "reset", "doctor", "check", "test", "migrate", "topics", "schemas"):
        assert f" {command} " in said


def test_command_that_is_not_in_this_checkout_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(table.ELSEWHERE, "derive", table.Elsewhere("services.policy.no_such_room", "main", "…"))
    assert main(["derive"]) == Exit.MISSING
    assert "command_missing" in capsys.readouterr().err


def test_words_after_a_command_that_parses_its_own_reach_it_and_its_code_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[list[str]] = []

    def verify(words: list[str]) -> int:
        heard.append(words)
        return 1

    monkeypatch.setitem(table.ELSEWHERE, "verify", table.Elsewhere("verify_here", "main", "…"))
    monkeypatch.setattr(table, "_exists", lambda _module: True)
    monkeypatch.setattr("importlib.import_module", lambda _name: type("Module", (), {"main": verify}))
    assert main(["verify", "bundle.tar", "--key", "k", "--help"]) == 1
    assert heard == [["bundle.tar", "--key", "k", "--help"]]


def test_status_of_nothing_is_a_failure_with_every_part_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--json", "--data-dir", str(tmp_path / "none")]) == Exit.FAILURE
    facts = json.loads(capsys.readouterr().out)
    assert facts["ready"] is False
    assert set(facts["parts"]) == {"kafka", "postgres", "forecaster", "policy", "approvals", "audit", "gateway"}
    assert not (tmp_path / "none").exists()


def test_busy_port_ends_up_before_anything_starts(
    taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COUNTERSIGN_GATEWAY_PORT", str(taken))
    assert main(["up", "--json", "--data-dir", str(tmp_path / "data")]) == Exit.PORT_BUSY
    said = capsys.readouterr()
    failure = json.loads(said.out)
    assert failure["error"] == "port_busy"
    assert str(taken) in failure["what"]
    assert not (tmp_path / "data" / "postgres").exists()
    assert not (tmp_path / "data" / "kafka").exists()


def test_interrupted_command_ends_with_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: LocalPlatform, *_: object, **__: object) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalPlatform, "start", interrupted)
    assert main(["up", "--data-dir", str(tmp_path / "data")]) == Exit.INTERRUPTED


def test_rebuild_without_a_terminal_wants_a_yes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["rebuild", "policy"]) == Exit.USAGE
    told = capsys.readouterr().err
    assert "confirmation_missing" in told and "--yes" in told


def test_reset_without_a_terminal_wants_a_yes_and_deletes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "layout-version").write_text("1\n")
    assert main(["reset", "--data-dir", str(folder)]) == Exit.USAGE
    assert "--yes" in capsys.readouterr().err
    assert folder.exists()
    assert main(["reset", "--yes", "--data-dir", str(folder)]) == Exit.OK
    assert not folder.exists()


def test_trouble_says_code_what_why_and_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    from cli import output

    trouble = Trouble("disk_full", "The disk is full.", why="0 bytes are free", way_out="free some [GB]")
    output.fail(trouble, as_json=False)
    said = capsys.readouterr().err
    assert said == "✗ disk_full: The disk is full.\n  why: 0 bytes are free\n  way out: free some [GB]\n"


def test_deriving_without_a_broker_says_which_one_did_not_answer_and_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COUNTERSIGN_KAFKA_BOOTSTRAP", "127.0.0.1:9")  # the discard port: nobody listens
    assert main(["derive", "some-recommendation"]) == 2
    said = capsys.readouterr().err
    assert "No Kafka answers at 127.0.0.1:9" in said and "./run up" in said and "--from" in said


def test_a_service_is_not_restarted_where_nothing_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["restart", "policy", "--data-dir", str(tmp_path)]) == Exit.MISSING
    said = capsys.readouterr().err
    assert "platform_stopped" in said and "kafka and postgres" in said and "./run up" in said
