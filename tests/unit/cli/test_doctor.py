"""The doctor names what is missing with the exact line to type, and its exit code says which kind it is."""

import ctypes
import json
import socket
from pathlib import Path

import pytest

from cli.commands import doctor
from cli.commands.doctor import State
from cli.errors import Exit
from cli.local import LocalSettings
from cli.main import main


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_ADMIN_URL", "DATA_DIR"):
        monkeypatch.delenv(f"COUNTERSIGN_{name}", raising=False)


def test_missing_openmp_is_answered_with_the_exact_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    monkeypatch.setattr("sys.platform", "linux")
    finding = doctor._openmp()
    assert finding.state is State.MISSING
    assert finding.way_out == "apt-get install -y libgomp1"


def test_full_disk_is_said_in_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _place: type("Usage", (), {"free": doctor.GIGABYTE // 2}))
    finding = doctor._disk(LocalSettings(data_dir=tmp_path / "data"))
    assert finding.state is State.MISSING
    assert finding.detail == f"0.5 GB free at {tmp_path}"
    assert finding.way_out.startswith("free 1.5 GB there")


def test_busy_port_makes_the_exit_code_four(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setenv("COUNTERSIGN_AUDIT_PORT", str(port))
        code = main(["doctor", "--json", "--data-dir", str(tmp_path / "data")])
    findings = {row["subject"]: row for row in json.loads(capsys.readouterr().out)["findings"]}
    assert findings[f"port {port}"]["state"] == "busy"
    assert "COUNTERSIGN_AUDIT_PORT" in findings[f"port {port}"]["way_out"]
    assert code == Exit.PORT_BUSY or "missing" in {row["state"] for row in findings.values()}


def test_old_data_folder_is_found_before_a_start_is_tried(tmp_path: Path) -> None:
    (tmp_path / "layout-version").write_text("0\n")
    finding = doctor._data_folder(LocalSettings(data_dir=tmp_path))
    assert finding.state is State.MISSING
    assert "./run reset" in finding.way_out
