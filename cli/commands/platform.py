"""`up`, `down`, `restart`, `status`, `reset`: the local platform, started, looked at, stopped, deleted."""

import shutil
import signal
import threading
from collections.abc import Callable
from typing import Annotated, Any

import psutil
import typer

from cli import output
from cli.asking import agreed
from cli.errors import Exit, Trouble
from cli.local import DataFolder, load
from cli.options import AnyPort, AsJson, DataDir, Yes
from cli.platform.databases import SERVICES
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely, hears

MEGABYTE = 1024 * 1024
# How often a foreground `up` looks whether its services still live.
WATCH_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (up, down, restart, status, reset):
        app.command()(command)


def up(
    data_dir: DataDir = None,
    any_port: AnyPort = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready.")] = False,
    keep_alive: Annotated[bool, typer.Option("--keep-alive", help="Start a service again when it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start broker, database and the five services, without data. Ctrl-C stops what it started.

    \b
    Examples:
      ./run up
      ./run up --detach && ./run status
      COUNTERSIGN_GATEWAY_PORT=9080 ./run up
    """
    local = LocalPlatform(load(data_dir, any_port=any_port), output.say)
    with ending_politely():
        seconds = local.start()
        try:
            _tell(local, seconds, as_json=as_json)
            if detach or not local.started:
                return
            ending = "Ctrl-C stops it" if hears(signal.SIGINT) else "no Ctrl-C comes through here, ./run down stops it"
            output.say(f"{ending} · in another terminal: ./run accounts (who may sign in), ./run status, ./run down")
            if stay(local, keep_alive=keep_alive):
                raise typer.Exit(Exit.INTERRUPTED)
        except BaseException:
            local.stop_started()
            raise


def _tell(local: LocalPlatform, seconds: dict[str, float], *, as_json: bool) -> None:
    """That it is ready, and what runs."""
    facts = overview(local)
    if as_json:
        output.result(facts | {"seconds": seconds, "started": local.started})
    else:
        show(facts)
        output.done(f"ready in {sum(seconds.values()):.1f} s · UI and API {local.gateway_url} · data {local.data_dir}")
    if not local.started:
        output.say("it was running already; `./run down` stops it")


def stay(local: LocalPlatform, *, keep_alive: bool = False, before_stop: Callable[[], None] | None = None) -> bool:
    """Watch what `local` started until Ctrl-C or until another terminal stops it; then stop what is left.

    True when it was Ctrl-C (or TERM). A service that ends is reported once, and started again with `keep_alive`.
    `before_stop` ends what uses the services, while they still answer.
    """
    mine = [name for name in local.started if name in SERVICES]
    reported: set[str] = set()
    never = threading.Event()
    try:
        while local.ledger.names():
            for name in mine:
                service = local.service(name)
                if service.running() is not None:
                    reported.discard(name)
                elif keep_alive:
                    output.warn(f"{name} has ended and is started again; see {service.log}")
                    service.start()
                elif name not in reported and local.ledger.find(name) is not None and not local.is_busy:
                    reported.add(name)
                    output.fail(service.ended(), as_json=False)
            never.wait(WATCH_SECONDS)
        output.say("stopped from another terminal")
        return False
    except KeyboardInterrupt:
        output.say("stopping what was started here (Ctrl-C again ends it at once)")
        return True
    finally:
        try:
            if before_stop is not None:
                before_stop()
        finally:
            stopped = local.stop_started()
            if stopped:
                output.done(f"stopped {', '.join(stopped)}")


def down(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Stop everything this data folder started, from whichever terminal, and nothing else."""
    local = LocalPlatform(load(data_dir), output.say)
    stopped = local.stop_all() if local.folder.path.exists() else []
    if as_json:
        output.result({"stopped": stopped})
    else:
        output.line(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


def restart(
    service: Annotated[str, typer.Argument(help="forecaster, policy, approvals, audit or gateway")],
    data_dir: DataDir = None,
) -> None:
    """Stop one service and start it again; also starts one that has ended or was killed.

    \b
    Example:
      ./run restart policy
    """
    if service not in SERVICES:
        raise Trouble(
            "service_unknown",
            f"There is no service {service!r}.",
            why=f"the five are {', '.join(SERVICES)}",
            way_out="name one of them",
            exit_code=Exit.USAGE,
        )
    local = LocalPlatform(load(data_dir), output.say)
    demand_stores(local, f"{service} was not started")
    process = local.service(service)
    with local.locked():
        process.stop(grace_seconds=25.0, say=output.warn)
        owned = process.start()
        seconds = process.await_ready()
    output.line(f"{service} runs as pid {owned.pid}, ready after {seconds:.1f} s")


def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What runs, on which port, whether it is ready, how far behind and how large it is. Exit 1 unless all is ready."""
    local = LocalPlatform(load(data_dir), output.say)
    facts = overview(local)
    if as_json:
        output.result(facts)
    else:
        show(facts)
        output.say(f"data {facts['data_dir']} · logs {local.folder.logs}")
    if not facts["ready"]:
        raise typer.Exit(Exit.FAILURE)


def reset(data_dir: DataDir = None, yes: Yes = False) -> None:
    """Stop everything and delete the local data folder: broker, database, models, keys, logs.

    A configured Kafka or PostgreSQL of yours is not touched. Downloaded programs stay.
    """
    settings = load(data_dir)
    local = LocalPlatform(settings, output.say)
    folder = DataFolder.of(settings)
    if not folder.path.exists():
        output.line(f"{folder.path} does not exist; nothing to delete")
        return
    if not agreed(f"Delete {folder.path} with everything in it?", yes=yes):
        output.line("nothing was deleted")
        return
    local.stop_all()
    local.postgres.remove()
    shutil.rmtree(folder.path)
    output.line(f"deleted {folder.path}")


def overview(local: LocalPlatform) -> dict[str, Any]:
    """Facts about every part, for `status` and `up`."""
    parts = _stores(local)
    for name in SERVICES:
        parts[name] = _process_facts(local, name)
        parts[name]["ready"] = False
        if parts[name]["state"] == "running":
            ready, facts = local.service(name).readiness()
            lag = facts.get("checks", {}).get("consumer", {}).get("lag")
            parts[name] |= {"ready": ready, "lag": _total(lag)}
    ready = all(part["ready"] for part in parts.values())
    return {"ready": ready, "data_dir": str(local.data_dir), "gateway": local.gateway_url, "parts": parts}


def show(facts: dict[str, Any]) -> None:
    """The facts as a table on standard output."""
    rows = []
    for name, part in facts["parts"].items():
        ready = "ready" if part["ready"] else "not ready" if part["state"] == "running" else ""
        shown = [part.get(key) for key in ("pid", "port", "memory_mb", "lag")]
        rows.append([name, part["state"], ready, *("" if value is None else value for value in shown)])
    output.table(["part", "state", "ready", "pid", "port", "MB", "behind"], rows)


def demand_stores(local: LocalPlatform, what: str) -> None:
    """Raises Trouble: platform_stopped, where broker or database do not run; `what` was not done without them."""
    stopped = [name for name, part in _stores(local).items() if not part["ready"]]
    if stopped:
        raise Trouble(
            "platform_stopped",
            f"{what[:1].upper()}{what[1:]}.",
            why=f"it needs {' and '.join(stopped)}, which this data folder has not running: {local.data_dir}",
            way_out="start everything with `./run up` or `./run demo`",
            exit_code=Exit.MISSING,
        )


def _stores(local: LocalPlatform) -> dict[str, dict[str, Any]]:
    """Broker and database: those that are configured, or the embedded ones."""
    parts: dict[str, dict[str, Any]] = {}
    configured = {"kafka": local.settings.kafka_bootstrap, "postgres": local.settings.database_admin_url}
    for name in ("kafka", "postgres"):
        if configured[name]:
            parts[name] = {"state": "configured", "ready": True}
        else:
            parts[name] = _process_facts(local, name)
            parts[name]["ready"] = parts[name]["state"] == "running"
    return parts


def _process_facts(local: LocalPlatform, name: str) -> dict[str, Any]:
    owned = local.ledger.find(name)
    process = None if owned is None else owned.process()
    if owned is None or process is None:
        return {"state": "stopped" if owned is None else "ended"}
    try:
        resident = sum(_memory(one) for one in [process, *process.children(recursive=True)])
    except psutil.Error:
        resident = 0
    return {"state": "running", "pid": owned.pid, "port": owned.port, "memory_mb": round(resident / MEGABYTE)}


def _memory(process: psutil.Process) -> int:
    """Bytes of its own, shared pages counted in part where the system knows that."""
    full = process.memory_full_info()
    return int(getattr(full, "pss", 0) or full.rss)


def _total(lag: Any) -> int | None:
    """Records behind, over all partitions, in whichever depth readiness nests them."""
    if isinstance(lag, dict):
        return sum(value for value in (_total(inner) for inner in lag.values()) if value is not None)
    return int(lag) if isinstance(lag, int | float) else None
