"""`audit`: write a tenant's audit log to a file, and take such a file back into an empty database."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from cli import output
from cli.commands.rebuild import demand_stopped
from cli.errors import Exit, Trouble
from cli.local import load
from cli.options import AsJson, DataDir
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely
from kit.database import Database
from kit.settings import ServiceSettings

if TYPE_CHECKING:
    from services.audit.importing import Imported

app = typer.Typer(add_completion=False)
POOL_MAX = 2
TELL_ENTRIES = 10_000
UNTOUCHED = "The export was not imported; nothing was written."


@app.command("export")
def export_command(
    file: Annotated[
        Path, typer.Argument(help="Where to write it; an existing file is replaced when all of it is there.")
    ],
    tenant: Annotated[str, typer.Option(help="Whose log; `~platform` is the platform's own.")] = "demo",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write the whole audit log of a tenant, from the service that runs here, as JSON lines.

    \b
    Examples:
      ./run audit export backups/demo.jsonl
      ./run audit export backups/platform.jsonl --tenant '~platform'
    """
    from services.audit.verify import fetching

    local = LocalPlatform(load(data_dir), output.say)
    settings = ServiceSettings(data_dir=local.data_dir)
    draft = file.with_name(file.name + ".new")
    last, count = b"", 0
    try:
        lines = fetching.download(settings, local.service("audit").url, tenant)
        file.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as written:
            for last in filter(None, lines):
                written.write(last + b"\n")
                count += last.startswith(b'{"record":"entry"')
        if not last.startswith(b'{"record":"end"'):
            raise fetching.Unusable("the export ends before its last line; the service ended, or the connection did")
    except (fetching.Unusable, OSError) as error:
        draft.unlink(missing_ok=True)
        raise Trouble(
            "export_failed", f"The log of {tenant} could not be exported.", why=str(error), way_out="see `./run status`"
        ) from error
    draft.replace(file)
    if as_json:
        output.result({"file": str(file), "tenant": tenant, "entries": count})
    else:
        output.line(f"{count:,} entries of {tenant} in {file}; check it with `./run verify {file}`")


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="An export of the log (JSON lines).")],
    tenant: Annotated[
        str | None, typer.Option(help="Whose log it must be.", show_default="the one the export names")
    ] = None,
    signed_only: Annotated[
        bool, typer.Option("--signed-only", help="Leave out entries after the newest signed head.")
    ] = False,
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="VKEY", help="Public key of a witness of former times whose cosignatures are in the log."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Verify an exported audit log, then restore it: same entries, same signed heads, same export.

    Audit must be stopped, its key (keys/audit.key, .retired) in place, and the log of the tenant empty or a beginning of
    the export. Import every tenant's log and `~platform` before audit starts again. All of a log is restored, or nothing.

    \b
    Examples:
      ./run audit import backups/demo.jsonl
      ./run audit import backups/platform.jsonl --tenant '~platform' --json
    """
    local = LocalPlatform(load(data_dir), output.say)
    with ending_politely():
        local.start(services=())
        try:
            # What the audit service's own modules log goes beside the result, not into it.
            with contextlib.redirect_stdout(sys.stderr):
                done = asyncio.run(_import(local, file, tenant, signed_only, witness or []))
        finally:
            local.stop_started()
    if as_json:
        output.result({name: getattr(done, name) for name in done.__slots__})
        return
    output.line(f"{done.added:,} entries added to {done.origin}: {done.size:,} now, {done.checkpoints:,} signed heads")
    output.line(f"root {done.root}; {done.size / max(done.seconds, 0.001):,.0f} entries a second")
    if done.left_out:
        output.warn(f"{done.left_out:,} entries under no signed head were left out; they come again from the topics")
    if done.published_size is None:
        output.warn("no head of this log is on the checkpoints topic: nothing but the file says that it is the newest")
    for other in done.awaited:
        output.warn(f"the log of {other} has published heads and is not (all) here: import it before audit starts")


async def _import(
    local: LocalPlatform, file: Path, tenant: str | None, signed_only: bool, witnesses: list[str]
) -> "Imported":
    from services.audit import importing, keys
    from services.audit.domain.errors import AuditRefusal
    from services.audit.domain.notes import parse_vkey
    from services.audit.inspecting import ImportRefused, tenant_of
    from services.audit.settings import Settings

    settings = Settings(
        namespace=local.namespace,
        kafka_bootstrap=local.kafka_bootstrap,
        database_url=SecretStr(local.database.service_url("audit")),
        data_dir=local.data_dir,
    )
    if not settings.key_file.exists():
        raise Trouble(
            "key_missing",
            UNTOUCHED,
            why=f"{settings.key_file} is not there; without the key that signed the log nobody could continue it",
            way_out="put audit.key (and audit.key.retired, if there is one) back from where you keep them",
            exit_code=Exit.MISSING,
        )
    await demand_stopped(local.database, "audit")
    database = await Database.open(local.database.service_url("audit"), "audit", pool_max=POOL_MAX)
    try:
        known = [*witnesses, *([settings.witness_vkey] if settings.witness_vkey else [])]
        return await importing.import_log(
            settings,
            database,
            keys.load(settings.deployment, settings.key_file),
            tuple(parse_vkey(text) for text in known),
            file,
            tenant or tenant_of(file),
            _progress,
            signed_only=signed_only,
        )
    except ImportRefused as refusal:
        raise Trouble(refusal.code, UNTOUCHED, why=str(refusal.args[1]), way_out=refusal.way_out) from refusal
    except (keys.KeyUnusable, AuditRefusal) as error:
        raise Trouble("key_unusable", UNTOUCHED, why=str(error), way_out="give the key as it was handed out") from error
    except KafkaError as error:
        raise Trouble(
            "kafka_unreachable",
            UNTOUCHED,
            why=f"what was published could not be read: {error!r}",
            way_out="see `./run doctor`, then import again",
        ) from error
    finally:
        await database.close()


def _progress(done: int, total: int) -> None:
    if done % TELL_ENTRIES == 0 or done == total:
        output.say(f"{done:,} of {total:,} entries")
