"""The broker's jars run only when their content is the pinned one, and are found again without a network."""

import hashlib
from pathlib import Path

import pytest

from cli.errors import Exit, Trouble
from cli.platform import jars


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source folder with two jars, pinned."""
    source = tmp_path / "source"
    source.mkdir()
    lines = ["# name by hash"]
    for name in ("a.jar", "b.jar"):
        (source / name).write_bytes(name.encode())
        lines.append(f"{hashlib.sha256(name.encode()).hexdigest()} {name}")
    lock = tmp_path / "kafka-jars.lock"
    lock.write_text("\n".join(lines))
    monkeypatch.setattr(jars, "PINNED", lock)
    monkeypatch.setenv("COUNTERSIGN_JARS_DIR", str(tmp_path / "kept"))
    return source


def test_fetched_jars_are_kept_and_found_without_fetching_again(pinned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "_fetch", lambda: sorted(pinned.glob("*.jar")))
    said: list[str] = []
    first = jars.ensure(said.append)
    assert [path.name for path in first] == ["a.jar", "b.jar"]

    def no_network() -> list[Path]:
        raise AssertionError("fetched twice")

    monkeypatch.setattr(jars, "_fetch", no_network)
    assert jars.ensure(said.append) == first
    assert len(said) == 1


def test_altered_jar_is_refused_and_not_kept(pinned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pinned / "b.jar").write_bytes(b"something else")
    monkeypatch.setattr(jars, "_fetch", lambda: sorted(pinned.glob("*.jar")))
    with pytest.raises(Trouble, match=r"1 of 2 differ .* first b\.jar") as refusal:
        jars.ensure(lambda _: None)
    assert refusal.value.code == "kafka_download_altered"
    assert jars.cached() is None
    assert not jars.folder().exists()


def test_failed_download_names_the_cause_and_both_ways_out(pinned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import jgo

    def unreachable(_endpoint: str) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(jgo, "build", unreachable)
    with pytest.raises(Trouble) as refusal:
        jars.ensure(lambda _: None)
    assert refusal.value.code == "kafka_download_failed"
    assert refusal.value.exit_code is Exit.MISSING
    assert "Name or service not known" in refusal.value.why
    assert "COUNTERSIGN_KAFKA_BOOTSTRAP" in refusal.value.way_out


def test_committed_list_pins_the_broker_itself() -> None:
    assert f"kafka_2.13-{jars.KAFKA_VERSION}.jar" in jars.pinned_hashes()
    assert all(len(digest) == 64 for digest in jars.pinned_hashes().values())
