"""The command line's table of contents: every command, where it lives, and how each ending becomes an exit code."""

import importlib
import importlib.util
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli import output
from cli.commands import checks, contracts, doctor, platform, stores
from cli.errors import Exit, Trouble
from cli.local import ROOT, load
from cli.platform.local import LocalPlatform

EXAMPLES = """
Inventory planning that someone can defend.

\b
Examples:
  ./run demo                    real point-of-sale data through all five services, and the planner's UI
  ./run demo --smoke --json     the same without a person, one JSON object at the end
  ./run up                      broker, database and services without data; Ctrl-C stops them
  ./run status                  what runs, on which port, whether it is ready
  ./run test --quick            the tests that need no server, in under a minute

\b
Settings are read from the environment, prefix COUNTERSIGN_ (docs/settings.md). With COUNTERSIGN_KAFKA_BOOTSTRAP and
COUNTERSIGN_DATABASE_ADMIN_URL set, your own Kafka and PostgreSQL are used instead of the embedded ones.
Exit codes: 0 ok, 1 failure, 2 usage, 3 something is missing, 4 port busy, 130 interrupted.
"""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A command whose module is imported only when it is called, so that the others start fast."""

    module: str
    attribute: str
    help: str


# A Typer app (`app`), or a function that takes the remaining words (`main`) and returns an exit code.
ELSEWHERE: dict[str, Elsewhere] = {
    "demo": Elsewhere("cli.demo", "app", "Feed real point-of-sale data through everything and open the planner's UI."),
    "accounts": Elsewhere(
        "cli.commands.accounts", "app", "Make a tenant's first accounts and an API key for your own data."
    ),
    "key": Elsewhere("cli.commands.key", "app", "Replace the gateway's internal key while everything runs."),
    "import": Elsewhere(
        "cli.import_csv", "app", "Turn CSV files of your own sales, stock, catalogue and locations into events."
    ),
    "forecast": Elsewhere(
        "cli.commands.forecast", "app", "Forecast a file of demand: distributions, no server needed."
    ),
    "train": Elsewhere("cli.commands.train", "app", "Train the forecast models now and wait for the verdict."),
    "bench": Elsewhere("cli.bench", "app", "Measure events per second, latency, planning time and memory."),
    "chaos": Elsewhere(
        "cli.commands.chaos", "app", "Hurt the running product by a seed's chance, and check every promise."
    ),
    "plan": Elsewhere("cli.commands.plan", "app", "Order proposals from files to a file, with reasons and why-nots."),
    "rebuild": Elsewhere("cli.commands.rebuild", "rebuild_app", "Derive a service's state again from the topics."),
    "snapshot": Elsewhere(
        "cli.commands.rebuild", "snapshot_app", "Write a copy of derived state a rebuild can start from."
    ),
    "verify": Elsewhere("services.audit.verify", "main", "Check an exported audit log offline, trusting no server."),
    "audit": Elsewhere("cli.commands.audit", "app", "Write a tenant's audit log to a file, and take it back in."),
    "derive": Elsewhere("services.policy.derive", "main", "Compute a recommendation again from its logged evidence."),
}


def build(wanted: str | None) -> typer.Typer:
    """The Typer app; of the commands that live elsewhere only `wanted` is imported."""
    app = typer.Typer(help=EXAMPLES, pretty_exceptions_enable=False, add_completion=False)
    app.callback(invoke_without_command=True)(_options)
    for module in (platform, stores, contracts, doctor, checks):
        module.register(app)
    for name, place in ELSEWHERE.items():
        if name == wanted:
            _mount(app, name, place)
        elif _exists(place.module):
            app.command(name, help=place.help)(_placeholder)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the process' exit code."""
    as_json = "--json" in arguments
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    try:
        app = build(wanted)
        ended = app(args=list(arguments), prog_name="./run", standalone_mode=False)
        return ended if isinstance(ended, int) else Exit.OK
    except Trouble as trouble:
        output.fail(trouble, as_json=as_json)
        return trouble.exit_code
    except (KeyboardInterrupt, typer.Abort):
        output.warn("interrupted")
        return Exit.INTERRUPTED
    except Exception as error:
        show = getattr(error, "show", None)  # usage errors know how to show themselves
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", Exit.USAGE))


def _mount(app: typer.Typer, name: str, place: Elsewhere) -> None:
    if not _exists(place.module):
        raise Trouble(
            "command_missing",
            f"`./run {name}` is not part of this checkout.",
            why=f"the module {place.module} is not there",
            way_out="update the checkout, or see `./run --help` for what is there",
            exit_code=Exit.MISSING,
        )
    found: Any = getattr(importlib.import_module(place.module), place.attribute)
    if isinstance(found, typer.Typer) and len(found.registered_commands) == 1:
        # One command of its own words: mounted plainly, so that options and arguments may come in any order.
        app.command(name)(found.registered_commands[0].callback or _placeholder)
    elif isinstance(found, typer.Typer):
        app.add_typer(found, name=name, help=place.help)
    else:
        settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
        app.command(name, help=place.help, context_settings=settings)(_passing_words_to(found))


def _passing_words_to(function: Callable[[list[str]], int]) -> Callable[[typer.Context], None]:
    def command(context: typer.Context) -> None:
        with _settings_of(LocalPlatform(load(), output.say)):
            raise typer.Exit(function(list(context.args)))

    return command


@contextmanager
def _settings_of(local: LocalPlatform) -> Iterator[None]:
    """What a service's own command reads from its environment: where nothing is said, the platform of this data folder."""
    said = {"COUNTERSIGN_KAFKA_BOOTSTRAP": local.kafka_bootstrap, "COUNTERSIGN_NAMESPACE": local.namespace}
    ours = {name: value for name, value in said.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        output.line(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])
    elif context.invoked_subcommand is None:
        output.line(context.get_help())


def _placeholder() -> None:
    """Stands in `--help` for a command that is imported when it is called."""


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
