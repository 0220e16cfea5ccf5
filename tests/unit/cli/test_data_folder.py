"""The data folder is claimed, recognised, and refused with a way out when it is old or somebody else's."""

from pathlib import Path

import pytest

from cli import local
from cli.errors import Exit, Trouble
from cli.local import LAYOUT, DataFolder, LocalSettings


def test_new_folder_is_stamped_and_taken_again(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.claim()
    folder.claim()
    assert folder.stamp.read_text() == f"{LAYOUT}\n"


@pytest.mark.parametrize(("found", "code"), [("0", "data_dir_old"), ("99", "data_dir_newer"), ("", "data_dir_old")])
def test_other_layout_is_refused_with_both_numbers_and_the_ways_out(tmp_path: Path, found: str, code: str) -> None:
    folder = DataFolder(tmp_path)
    folder.stamp.write_text(found)
    with pytest.raises(Trouble) as refusal:
        folder.claim()
    assert refusal.value.code == code
    assert f"this version reads {LAYOUT}" in refusal.value.why
    assert "./run reset" in refusal.value.way_out
    assert "--data-dir" in refusal.value.way_out
    assert folder.stamp.read_text() == found


def test_folder_with_somebody_elses_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("hard work")
    with pytest.raises(Trouble) as refusal:
        DataFolder(tmp_path).claim()
    assert refusal.value.code == "data_dir_foreign"
    assert refusal.value.exit_code is Exit.USAGE
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_other_commands_find_the_ports_of_the_running_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUNTERSIGN_DATA_DIR", raising=False)
    folder = DataFolder(tmp_path / "data")
    folder.claim()
    folder.note_ports(LocalSettings(gateway_port=9180, kafka_port=19192))
    assert local.load(folder.path).gateway_port == 9180
    assert local.load(folder.path).kafka_port == 19192
    folder.forget_ports()
    assert local.load(folder.path).gateway_port == LocalSettings().gateway_port


def test_any_port_replaces_only_what_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "is_free", lambda port: port != 8080)
    chosen = local.load(tmp_path / "data", any_port=True)
    assert chosen.gateway_port != 8080
    assert chosen.policy_port == LocalSettings().policy_port


def test_relative_folder_lies_in_the_checkout_wherever_the_command_was_typed() -> None:
    assert LocalSettings(data_dir=Path(".countersign")).folder == local.ROOT / ".countersign"
