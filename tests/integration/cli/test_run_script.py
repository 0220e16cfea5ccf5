"""`./run` on a bare machine: makes its environment once, starts at once afterwards, and says exactly what is missing."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local import ROOT

# What the script may use besides Python: all of it is in every Debian, Alpine and macOS.
TOOLS = ("bash", "dirname", "cat", "cksum", "awk", "grep", "tail", "df", "mkdir", "rm", "du", "cut", "sleep", "env")
HASH = "0" * 64
PACKAGE = "no-such-package-here"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but the script and two small lock files."""
    shutil.copy(ROOT / "run", tmp_path / "run")
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text(f"{PACKAGE}==1.0 \\\n    --hash=sha256:{HASH}\n")
    return tmp_path


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the plain tools and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def start(checkout: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(checkout / "run"), *words], env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def installed(checkout: Path, lock: str) -> None:
    """An environment that says it was made from `lock`, with a Python that repeats its arguments."""
    script(checkout / ".venv/bin/python", 'echo "$PWD" "$@"')
    sums = subprocess.run(["cksum"], input=(checkout / lock).read_bytes(), capture_output=True, check=True).stdout
    (checkout / ".venv/countersign-lock").write_text(f"{lock} {sums.decode().strip()}")


def test_second_start_hands_over_at_once_without_looking_for_python(checkout: Path, tools: Path) -> None:
    installed(checkout, "requirements.lock")
    done = start(checkout, "status", "--json", PATH=str(tools))
    assert done.stdout.split()[1:] == ["-m", "cli", "status", "--json"]
    assert done.stderr == ""
    assert done.returncode == 0


def test_environment_for_tests_serves_every_command(checkout: Path, tools: Path) -> None:
    installed(checkout, "requirements-dev.lock")
    assert start(checkout, "test", "--quick", PATH=str(tools)).returncode == 0
    assert start(checkout, "demo", PATH=str(tools)).returncode == 0


@pytest.mark.parametrize(("lock", "word"), [("requirements.lock", "test"), ("requirements-dev.lock", "status")])
def test_changed_or_smaller_environment_is_made_again(checkout: Path, tools: Path, lock: str, word: str) -> None:
    installed(checkout, lock)
    if lock == "requirements-dev.lock":
        (checkout / lock).write_text("changed")
    done = start(checkout, word, PATH=str(tools))
    assert done.returncode == 3
    assert "python_missing" in done.stderr


def test_without_python_311_it_says_what_it_found_and_how_to_install_it(checkout: Path, tools: Path) -> None:
    script(tools / "python3", '[ "$1" = --version ] && echo Python 3.9.2 || exit 1')
    done = start(checkout, "demo", PATH=str(tools))
    assert done.returncode == 3
    assert "✗ python_missing: Python 3.11 was not found." in done.stderr
    assert "python3 is Python 3.9.2" in done.stderr
    assert "apt-get install python3.11 python3.11-venv" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_download_that_does_not_work_is_named_and_leaves_no_stamp(checkout: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    done = start(
        checkout, "demo", PATH=os.environ["PATH"], COUNTERSIGN_PYTHON=sys.executable, HOME=str(checkout), **nowhere
    )
    assert done.returncode == 1
    assert "✗ download_failed: The packages could not be downloaded." in done.stderr
    assert "way out: check the network and proxy settings" in done.stderr
    assert not (checkout / ".venv/countersign-lock").exists()


@pytest.mark.slow
def test_package_that_is_not_the_one_of_the_lock_is_refused_and_named(checkout: Path) -> None:
    done = install_from(checkout, wheel(checkout / "mirror", megabytes=0))
    assert done.returncode == 1
    assert "✗ package_altered: A downloaded package is not the one the lock file names." in done.stderr
    assert "way out: run the same command again" in done.stderr
    assert not (checkout / ".venv/countersign-lock").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB: room for a bare environment and not for more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be made by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_full_disk_is_named_with_what_is_free_and_where_to_go(checkout: Path, small_disk: Path) -> None:
    mirror = wheel(checkout / "mirror", megabytes=64)
    (only,) = mirror.iterdir()
    right = hashlib.sha256(only.read_bytes()).hexdigest()
    (checkout / "requirements.lock").write_text(f"{PACKAGE}==1.0 --hash=sha256:{right}\n")
    done = install_from(checkout, mirror, COUNTERSIGN_VENV=str(small_disk / "venv"))
    assert done.returncode == 1
    assert "✗ disk_full: The packages could not be installed: the disk is full." in done.stderr
    assert f"MB are free at {small_disk}" in done.stderr
    assert "No space left" in (small_disk / "venv/install.log").read_text()
    assert "set COUNTERSIGN_VENV to a folder on another disk" in done.stderr


def install_from(checkout: Path, mirror: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """`./run` where packages come from a folder."""
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(mirror), "PIP_CONFIG_FILE": os.devnull}
    base = {"PATH": os.environ["PATH"], "COUNTERSIGN_PYTHON": sys.executable, "HOME": str(checkout)}
    return start(checkout, "demo", **base, **index, **more)


def wheel(folder: Path, megabytes: int) -> Path:
    """A folder with the package of the lock in it: real, and another one than the lock's hash says."""
    folder.mkdir()
    module = PACKAGE.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{module}/data.bin", bytes(megabytes << 20))
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return folder
