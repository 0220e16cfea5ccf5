"""`./run demo`: real point-of-sale data through everything, and the planner's UI. `--smoke`: the same without a person."""

import os
import signal
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import demo_access, demo_history, output
from cli.commands.platform import stay
from cli.demo_access import Access
from cli.demo_live import Live
from cli.demo_progress import Stages
from cli.errors import Exit
from cli.local import PORT_FIELDS, DataFolder, LocalSettings, load
from cli.options import AnyPort, AsJson, DataDir
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely, hears
from lab.world.build import World, world
from lab.world.shape import FULL, Shape
from schemas.topics import ORDERS

app = typer.Typer(add_completion=False)
# How the services behave while the past is told: forecasts wait for the first model instead of being made twice, and a
# closed day is planned after seconds, because here a day takes half a minute.
PATIENCE = {
    "COUNTERSIGN_AWAIT_FIRST_MODEL": "true",
    "COUNTERSIGN_CATCH_UP_RECORDS": "200",
    "COUNTERSIGN_PLAN_GRACE_SECONDS": "5",
}

Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="Without a person: approve one order, see it at the ERP, verify the audit log, end."),
]
PortBase = Annotated[
    int | None,
    typer.Option("--port-base", min=1024, max=65000, help="Use this port and those after it.", show_default=False),
]
Pace = Annotated[float, typer.Option("--pace", min=1.0, help="Seconds a business day takes in the live feed.")]
NoLive = Annotated[bool, typer.Option("--no-live", help="Stop the time at the demo's today.")]
Items = Annotated[int, typer.Option("--items", min=10, help="Store x product pairs of the world.")]
Stores = Annotated[int, typer.Option("--stores", min=1, help="Stores of the world.")]


@app.command()
def demo(
    smoke: Smoke = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    any_port: AnyPort = False,
    port_base: PortBase = None,
    pace: Pace = 30.0,
    no_live: NoLive = False,
    items: Items = FULL.items,
    stores: Stores = FULL.stores,
) -> None:
    """Feed real point-of-sale data through everything and open the planner's UI.

    The receipts are real (Complete Journey, a grocery panel of 2017); stock, suppliers and the ERP are simulated around
    them, because the receipts say nothing of them. The first start takes a few minutes, later ones seconds.

    \b
    Examples:
      ./run demo
      ./run demo --pace 10                 a business day every ten seconds
      ./run demo --smoke --json            for scripts: one JSON object, exit code 0 when everything was right
    """
    shape = Shape(items=items, stores=stores)
    local = LocalPlatform(settings_for(data_dir, port_base, any_port=any_port), output.say)
    if smoke:
        from cli.demo_smoke import smoke as run_smoke

        with demo_access.plain_refusals():
            result = run_smoke(local, shape)
        if as_json:
            output.result(result)
        else:
            output.done(
                f"everything was right: {result['events_in']:,} events in, order {result['order']['order_id']} at the ERP"
            )
        return
    with demo_access.plain_refusals(), ending_politely():
        live: Live | None = None
        try:
            stages = Stages()
            access, known, facts = bring_up(local, shape, stages)
            if not no_live:
                live = live_feed(local, known, access, pace)
                live.start()
            if as_json:
                output.result(
                    {"gateway": local.gateway_url, "data_dir": str(local.data_dir), "seconds": stages.seconds, **facts}
                )
            else:
                welcome(local, access, facts, live=live is not None)
            stay_with(local, live)
        except BaseException:
            if live is not None:
                live.stop()
            if local.started:
                local.stop_started()
            raise


def settings_for(data_dir: Path | None, port_base: int | None, *, any_port: bool) -> LocalSettings:
    """Settings of the demo; with a port base, all ports follow it unless the platform already runs on others."""
    settings = load(data_dir, any_port=any_port)
    if port_base is None or DataFolder(settings.folder).noted_ports() is not None:
        return settings
    return settings.model_copy(update={name: port_base + place for place, name in enumerate(sorted(PORT_FIELDS))})


def bring_up(local: LocalPlatform, shape: Shape, stages: Stages) -> tuple[Access, World, dict[str, Any]]:
    """Everything up to the planner's first look: platform, access, history, model, plan."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    with stages.stage("platform", "starting Kafka, PostgreSQL and the five services") as tell:
        local.start()
        tell(f"at {local.gateway_url}")
    with stages.stage("access", "making accounts"):
        access = demo_access.ensure(local, shape.tenant)
    with stages.stage("world", "reading a year of real receipts, simulating stock and suppliers around them") as tell:
        known = world(shape, local.data_dir / "demo" / "world")
        tell(f"{len(known.items):,} items in {len(known.locations)} stores")
    progress = demo_history.Progress.load(local.data_dir, shape.fingerprint())
    demo_history.feed_history(local, known, progress, stages)
    with access.machine(local.gateway_url) as machine, access.person(local.gateway_url, "admin") as admin:
        if not progress.planned:
            demo_history.absorb(local, admin, stages, forecasts_too=False)
            demo_history.train(admin, stages)
            demo_history.absorb(local, admin, stages)
            run = demo_history.plan(admin, stages)
            demo_history.absorb(local, admin, stages)
            progress.planned = True
            progress.save()
            output.say(f"planning run {run['run_id']}: {run.get('items')} items, {run.get('proposed')} with a proposal")
        facts = {
            "events_in": sum(progress.fed.values()),
            "queue": machine.get("/v1/recommendations/summary"),
            "status": machine.status(),
        }
    return access, known, facts


def live_feed(local: LocalPlatform, known: World, access: Access, pace: float) -> Live:
    """The feed of the days after today, and the ERP's seat beside it."""
    return Live(
        known,
        local.data_dir / "demo" / "live.json",
        access.machine(local.gateway_url),
        bootstrap=local.kafka_bootstrap,
        topic=ORDERS.on(local.namespace),
        pace_seconds=pace,
    )


def welcome(local: LocalPlatform, access: Access, facts: dict[str, Any], *, live: bool) -> None:
    """Where to go, as whom, and what to try."""
    queue, status = facts["queue"], facts["status"]
    today = date.fromisoformat(status["business_date"]) if status.get("business_date") else None
    output.line("")
    output.line(f"  Planner UI   {local.gateway_url}")
    for username in ("planner", "approver"):
        output.line(f"  sign in as   {username}  {access.passwords[username]}")
    output.line(f"               auditor and admin: {local.data_dir / demo_access.FILE}")
    output.line(
        f"  today        {today:%A %d %B %Y} (event time), {queue['waiting']} recommendations wait for a person"
        if today
        else ""
    )
    output.line("  real         the receipts; simulated: stock, suppliers, the ERP")
    output.line("")
    output.line("  Next: sign in, open the first line, press A to approve; then look at Orders and Audit.")
    output.line("  In another terminal: ./run status · ./run verify --help · ./run import --help")
    if live:
        output.line("  Time goes on: shops sell, orders you approve are acknowledged and delivered.")
    ending = "Ctrl-C" if hears(signal.SIGINT) else "./run down"
    output.line(f"  {ending} stops everything that was started here; the data stays for the next start.")
    output.line("")


def stay_with(local: LocalPlatform, live: Live | None) -> None:
    """Stay in the foreground until Ctrl-C; the feed ends before the services do."""
    if not local.started:
        output.say("the services were running already and are left so; Ctrl-C ends only the live feed")
    if stay(local, before_stop=None if live is None else live.stop):
        raise typer.Exit(Exit.INTERRUPTED)
