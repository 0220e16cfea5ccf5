"""`rebuild`: drop what a service derived from the topics and derive it again; `snapshot`: keep a copy to start from."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from pydantic import SecretStr

from cli import output
from cli.asking import agreed
from cli.errors import Exit, Trouble
from cli.local import load
from cli.options import AsJson, DataDir, Yes
from cli.platform.databases import SERVICES, ServiceDatabase
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely
from kit import memory, snapshot
from kit.database import Database, SchemaMismatch
from kit.rebuild import Derived, Outcome, rebuild
from kit.settings import ServiceSettings

POOL_MAX = 4


def demand_service(service: str) -> None:
    """Raises Trouble: service_unknown."""
    if service not in SERVICES:
        raise Trouble(
            "service_unknown",
            f"There is no service {service!r}.",
            why=f"the services are {', '.join(SERVICES)}",
            way_out="name one of them",
            exit_code=Exit.USAGE,
        )


def derived_of(service: str) -> Derived:
    """What a service derives from topics; audit reads its own log instead."""
    if service == "forecaster":
        from services.forecaster.derived import DERIVED
    elif service == "policy":
        from services.policy.derived import DERIVED
    elif service == "approvals":
        from services.approvals.derived import DERIVED
    else:
        from services.gateway.derived import DERIVED
    return DERIVED


def copied_of(service: str) -> Derived:
    """What a snapshot of a service holds. Raises Trouble: service_unknown, no_snapshots."""
    demand_service(service)
    if service == "audit" or not derived_of(service).has_snapshots:
        raise Trouble(
            "no_snapshots",
            f"There are no snapshots of {service}.",
            why="its rows are its own words with what is derived beside them; an older copy must not take their place",
            way_out=f"`./run rebuild {service}` needs none; keep backups of its schema",
            exit_code=Exit.USAGE,
        )
    return derived_of(service)


def rebuild_command(
    service: Annotated[str, typer.Argument(help="One of the five; it must be stopped.")],
    snapshot_file: Annotated[
        Path | None, typer.Option("--from-snapshot", help="Start from this snapshot and read only what came after it.")
    ] = None,
    yes: Yes = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Drop what a stopped service derived and derive it again, publishing nothing; compare digests.

    From the topics; audit derives from its own log, holding every hash against what was signed.

    \b
    Examples:
      ./run rebuild policy
      ./run rebuild forecaster --from-snapshot .countersign/snapshots/forecaster-2026-11-01.ndjson.gz --yes
    """
    demand_service(service)
    derived = None if service == "audit" else derived_of(service)
    if snapshot_file is not None:
        derived = copied_of(service)
    if not agreed(f"Drop and derive again what {service} knows?", yes=yes, default=True):
        raise typer.Abort

    async def work(settings: ServiceSettings, database: Database) -> Outcome:
        memory.spare_the_collector()
        if derived is None:
            return await _from_its_own_log(database)
        fill = None if snapshot_file is None else snapshot.Filling(derived, service, snapshot_file)
        return await rebuild(settings, database, derived, _progress, fill=fill)

    outcome: Outcome = _with_service(service, data_dir, work)
    if as_json:
        output.result(
            {
                "service": service,
                "records": outcome.records,
                "seconds": round(outcome.seconds, 2),
                "before": outcome.before,
                "after": outcome.after,
                "differing": outcome.differing,
            }
        )
    else:
        rows = [(name, outcome.before[name], outcome.after[name]) for name in outcome.before]
        output.table(("table", "before", "after"), rows)
        rate = outcome.records / max(outcome.seconds, 0.001)
        output.line(f"{outcome.records:,} records in {outcome.seconds:.1f} s ({rate:,.0f}/s)")
    if outcome.differing:
        raise Trouble(
            "rebuild_differs",
            f"{len(outcome.differing)} tables came out otherwise than they were.",
            why=f"{', '.join(outcome.differing)}: what they were made from no longer holds, or holds more than, what stood in them",
            way_out="rebuild from a snapshot (docs/replay.md), or keep the new state if the old one was wrong",
        )


async def _from_its_own_log(database: Database) -> Outcome:
    """Audit. Raises Trouble with the code of what does not hold."""
    from services.audit import rebuilding
    from services.audit.domain.errors import AuditRefusal

    try:
        return await rebuilding.rebuild(database, _progress)
    except AuditRefusal as refusal:
        raise Trouble(
            refusal.code,
            "The audit log does not hold, so nothing was made again from it.",
            why=str(refusal.args[1]),
            way_out="`./run verify --from-service` names the first break; restore a backup of its schema",
        ) from refusal


def snapshot_command(
    service: Annotated[str, typer.Argument(help="forecaster, policy or gateway; it may go on running.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write what a service derived, and how far it had read, into one file that `rebuild --from-snapshot` starts from.

    \b
    Examples:
      ./run snapshot policy
    """
    derived = copied_of(service)

    async def work(settings: ServiceSettings, database: Database) -> snapshot.Written:
        return await snapshot.write(database, derived, settings.data_dir / "snapshots")

    written: snapshot.Written = _with_service(service, data_dir, work, must_stand_still=False)
    if as_json:
        output.result({"file": str(written.path), "rows": written.rows, "sha256": written.sha256})
    else:
        output.line(f"{written.rows:,} rows in {written.path}, SHA-256 {written.sha256}")


def _with_service(
    service: str,
    data_dir: Path | None,
    work: Callable[[ServiceSettings, Database], Any],
    *,
    must_stand_still: bool = True,
) -> Any:
    """Run `work` as the service, on the stores of this installation; what had to be started is stopped again."""
    local = LocalPlatform(load(data_dir), output.say)
    with ending_politely():
        local.start(services=(), prepare=False)
        try:
            return asyncio.run(_as_service(local, service, work, must_stand_still))
        finally:
            local.stop_started()


async def _as_service(
    local: LocalPlatform, service: str, work: Callable[[ServiceSettings, Database], Any], must_stand_still: bool
) -> Any:
    if must_stand_still:
        await demand_stopped(local.database, service)
    url = local.database.service_url(service)
    settings = ServiceSettings(
        namespace=local.namespace,
        kafka_bootstrap=local.kafka_bootstrap,
        database_url=SecretStr(url),
        data_dir=local.data_dir,
    )
    database = await Database.open(url, service, pool_max=POOL_MAX)
    try:
        await database.check_version()
        return await work(settings, database)
    except SchemaMismatch as mismatch:
        raise Trouble(
            "schema_differs",
            f"The tables of {service} are of another version than this checkout.",
            why=str(mismatch),
            way_out="`./run migrate`, then call this again",
        ) from mismatch
    finally:
        await database.close()


async def demand_stopped(target: ServiceDatabase, service: str) -> None:
    """Raise Trouble while a process of this service is connected to the database."""
    connection = await asyncpg.connect(target.url)
    try:
        running = await connection.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database() and application_name = $1",
            f"countersign-{service}",
        )
    finally:
        await connection.close()
    if running:
        raise Trouble(
            "service_running",
            f"{service} is running.",
            why=f"{running} connections of it are open; it would go on reading while its state is dropped",
            way_out="`./run down` (or stop that service), then call this again",
        )


def _progress(done: int, total: int) -> None:
    output.say(f"{done:,} of {total:,} records" if total else "nothing to read")


rebuild_app = typer.Typer()
rebuild_app.command()(rebuild_command)
snapshot_app = typer.Typer()
snapshot_app.command()(snapshot_command)
