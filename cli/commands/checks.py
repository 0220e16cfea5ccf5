"""`check` and `test`: what has to hold before a change goes in."""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from cli import output
from cli.errors import Exit, Trouble
from cli.local import ROOT

PACKAGES = ("schemas", "kit", "kernel", "services", "cli", "deploy", "lab", "clients/python", "tests")
# Where tests that need no server live: the rest is not even imported.
QUICK = ("tests/unit", "tests/contract", "tests/house")
# What needs a server, a browser, a container engine or patience.
NOT_QUICK = "not integration and not browser and not scenario and not containers and not slow"


@dataclass(frozen=True, slots=True)
class Static:
    """A check that reads the source and runs nothing of it."""

    name: str
    command: tuple[str, ...]
    way_out: str


def statics() -> tuple[Static, ...]:
    """The static checks, for `./run check` and for tests/house."""
    python = (sys.executable, "-m")
    there = tuple(name for name in PACKAGES if (ROOT / name).is_dir())
    linter = "from importlinter.cli import lint_imports_command; lint_imports_command(args=['--no-cache'])"
    return (
        Static("format", (*python, "ruff", "format", "--check", "--quiet", "."), "ruff format ."),
        Static("lint", (*python, "ruff", "check", "--quiet", "."), "ruff check --fix ."),
        Static(
            "types",
            (*python, "mypy", *there),
            "give the type that is missing; reasons for exceptions go to pyproject.toml",
        ),
        Static("layers", (sys.executable, "-c", linter), "move the import to where the contract allows it"),
        Static("generated", (*python, "cli", "schemas", "--check"), "./run schemas"),
        Static("deployment", (*python, "deploy.generate", "--check"), ".venv/bin/python -m deploy.generate"),
    )


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(check)
    app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run_tests)


def check() -> None:
    """Format, lint, types, layers and generated files; all of them, even when the first fails.

    \b
    Example:
      ./run check
    """
    _demand_tools()
    failed = []
    for static in statics():
        started = time.monotonic()
        result = subprocess.run(static.command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        if result.returncode == 0:
            output.done(f"{static.name} ({seconds:.1f} s)")
            continue
        failed.append(static.name)
        output.line((result.stdout + result.stderr).strip())
        output.warn(f"{static.name} failed ({seconds:.1f} s); put right with: {static.way_out}")
    if failed:
        raise Trouble(
            "check_failed",
            f"{len(failed)} of {len(statics())} checks failed: {', '.join(failed)}.",
            why="their findings are printed above",
            way_out="put them right and run `./run check` again",
        )


def run_tests(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Only what needs no server: under a minute.")] = False,
) -> None:
    """Static checks, unit, contract, integration, scenario and browser tests, and the smoke run; ends with pytest's line.

    Further words go to pytest: paths, -k, -x, -m. With COUNTERSIGN_KAFKA_BOOTSTRAP and COUNTERSIGN_DATABASE_ADMIN_URL
    set, integration tests use those servers, otherwise they start their own.

    \b
    Examples:
      ./run test
      ./run test --quick
      ./run test tests/unit/policy -k rounding
    """
    _demand_tools()
    words = list(context.args)
    narrowed = any(not word.startswith("-") for word in words)
    command = [sys.executable, "-m", "pytest"]
    if not narrowed:
        # Two workers fit two cores; the tests of a file stay together, and with them what they start. (Not loadgroup: xdist 3.8
        # sets a private name that pytest 9.2 does not read any more, and groups nothing without a word.)
        command += ["-n", "2", "--dist", "loadfile", "-q"]
    if quick:
        command += ["-m", NOT_QUICK, "--hypothesis-profile=quick", *(() if narrowed else QUICK)]
    raise typer.Exit(_run(command + words))


def _run(command: Sequence[str]) -> int:
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # pytest got the same Ctrl-C and is tidying up
            process.wait()
            return Exit.INTERRUPTED


def _demand_tools() -> None:
    missing = [name for name in ("pytest", "ruff", "mypy") if importlib.util.find_spec(name) is None]
    if missing:
        raise Trouble(
            "tools_missing",
            f"The development tools are not installed ({', '.join(missing)}).",
            why="this environment was made without requirements-dev.lock",
            way_out="start it as `./run test` or `./run check`, which install them",
            exit_code=Exit.MISSING,
        )
