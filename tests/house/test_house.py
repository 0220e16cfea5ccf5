"""The house rules hold in this tree."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from cli import settings_page
from cli.commands.checks import QUICK
from cli.main import ELSEWHERE, build
from tests.conftest import NEEDY_ROOMS
from tests.house import rules

ROOT = Path(__file__).resolve().parents[2]
CODE = ("schemas", "kit", "kernel", "services", "cli", "lab", "clients", "tests")
# Made by `./run schemas`, so its size follows the catalogue, not a person's patience.
GENERATED = frozenset({"schemas/topics.py"})
# Text that is data or is written by a tool.
NOT_PROSE = frozenset({"requirements.lock", "requirements-dev.lock"})


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return rules.tracked(ROOT)


@pytest.fixture(scope="module")
def modules(files: list[Path]) -> list[Path]:
    python = [path for path in files if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in CODE]
    return [path for path in python if str(path.relative_to(ROOT)) not in GENERATED]


def prose(files: list[Path]) -> list[Path]:
    return [path for path in files if path.name not in NOT_PROSE]


def commands() -> list[str]:
    """Every command, whether its module is imported at once or when it is called."""
    registered = build(None).registered_commands
    named = [command.name or getattr(command.callback, "__name__", "") for command in registered]
    return [*named, *ELSEWHERE]


def demand_none(violations: Iterable[str]) -> None:
    found = [violation.replace(f"{ROOT}/", "") for violation in violations]
    assert not found, "\n" + "\n".join(found)


def test_modules_are_at_most_400_lines(modules: list[Path]) -> None:
    demand_none(rules.module_sizes(modules))


def test_functions_are_at_most_70_lines(modules: list[Path]) -> None:
    demand_none(rules.function_sizes(modules))


def test_modules_say_in_their_name_what_they_are_about(modules: list[Path]) -> None:
    relative = [path.relative_to(ROOT) for path in modules]
    demand_none(rules.vague_names(relative))


def test_every_module_says_what_it_is_for(modules: list[Path]) -> None:
    demand_none(rules.undescribed_modules(modules))


def test_every_service_has_the_same_rooms() -> None:
    demand_none(rules.missing_rooms(ROOT / "services"))


def test_every_command_in_the_pages_exists(files: list[Path]) -> None:
    known = frozenset(commands())
    assert {"up", "down", "status", "reset", "doctor", "test", "check"} <= known
    pages = [path for path in files if path.suffix == ".md"]
    wrong = [
        f"{page.relative_to(ROOT)}: {one}" for page in pages for one in rules.unknown_commands(page.read_text(), known)
    ]
    demand_none(wrong)


def test_every_test_named_in_the_pages_exists(files: list[Path]) -> None:
    pages = [path for path in files if path.suffix == ".md"]
    demand_none(f"{page.name}: {one}" for page in pages for one in rules.unknown_tests(page.read_text(), ROOT))


def test_no_secret_is_in_the_tree(files: list[Path]) -> None:
    demand_none(rules.matches(prose(files), rules.SECRET, "a secret"))


def test_no_path_of_the_machine_it_was_written_on(files: list[Path]) -> None:
    demand_none(rules.matches(prose(files), rules.MACHINE_PATH, "a machine's path"))


def test_no_package_registry_is_named(files: list[Path]) -> None:
    demand_none(rules.matches(prose(files), rules.REGISTRY_HOST, "a registry's host"))


def test_nothing_is_left_to_do_in_a_comment(files: list[Path]) -> None:
    demand_none(rules.matches(prose(files), rules.UNFINISHED, "unfinished"))


def test_every_setting_is_described() -> None:
    demand_none(settings_page.undocumented())


def test_locks_cover_what_pyproject_names() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    lock, dev_lock = (ROOT / "requirements.lock").read_text(), (ROOT / "requirements-dev.lock").read_text()
    demand_none(rules.unlocked(pyproject, lock, dev_lock))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_is_hashed(name: str) -> None:
    demand_none(rules.unhashed((ROOT / name).read_text()))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_packages_for_linux_only_are_marked_in_the_lock(name: str) -> None:
    demand_none(rules.unmarked((ROOT / name).read_text()))


def test_quick_tests_are_all_that_need_no_server() -> None:
    rooms = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert rooms - NEEDY_ROOMS == {Path(room).name for room in QUICK}


def test_migrations_of_a_service_are_numbered_one_after_another() -> None:
    demand_none(rules.migration_numbers(ROOT / "services"))
