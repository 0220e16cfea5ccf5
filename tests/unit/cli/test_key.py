"""The gateway's internal key is replaced in the data folder by two steps; anything else is a usage error."""

import json
from pathlib import Path

import pytest

from cli.errors import Exit
from cli.main import main
from kit.identity import PEM, ensure_keys


def test_key_is_replaced_and_the_one_before_it_retired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    private, public = ensure_keys(tmp_path)
    (first,) = PEM.findall(private.read_bytes())
    assert main(["key", "replace", "--data-dir", str(tmp_path), "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["private"] == str(private)
    newest, before = PEM.findall(private.read_bytes())
    assert before == first != newest
    assert len(PEM.findall(public.read_bytes())) == 2
    assert main(["key", "retire", "--data-dir", str(tmp_path)]) == Exit.OK
    assert PEM.findall(private.read_bytes()) == [newest]
    assert len(PEM.findall(public.read_bytes())) == 1


def test_step_nobody_knows_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    private, _public = ensure_keys(tmp_path)
    before = private.read_bytes()
    assert main(["key", "forget", "--data-dir", str(tmp_path)]) == Exit.USAGE
    assert "step_unknown" in capsys.readouterr().err
    assert private.read_bytes() == before
