"""`plan`: order proposals from files to a file, with the service's own code, without broker or database."""

import json
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import output
from cli.errors import Exit, Trouble
from cli.options import AsJson
from services.policy import offline
from services.policy.domain.parameters import Parameters, parse_parameters
from services.policy.domain.refusal import PolicyRefusal
from services.policy.domain.scarcity import Budget
from services.policy.offline_files import FileRefused

app = typer.Typer(add_completion=False)
Pareto = Annotated[
    Path | None,
    typer.Option("--pareto", help="JSON to write: what other weights of service, cost and risk would lead to."),
]
History = Annotated[
    Path | None,
    typer.Option("--history", help="Past demand (unique_id or sku and location, ds, y): judge --pareto by it, too."),
]


@app.command()
def plan(
    items: Annotated[Path, typer.Option("--items", help="Parquet or CSV: one row per item and location.")],
    forecasts: Annotated[Path, typer.Option("--forecasts", help="Parquet or CSV: as published, or of ./run forecast.")],
    out: Annotated[Path, typer.Option("--out", help="Parquet to write: one row per row of --items.")],
    budget: Annotated[str, typer.Option("--budget", help="Cash for the whole run, in the file's currency.")] = "",
    volume: Annotated[str, typer.Option("--volume", help="Space for the whole run, cubic metres (volume_m3).")] = "",
    supplier_capacity: Annotated[
        list[str] | None, typer.Option("--supplier-capacity", help="SUPPLIER=UNITS; may be given several times.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="JSON with policy parameters; absent: defaults.")
    ] = None,
    origin: Annotated[
        str, typer.Option("--origin", help="Use the forecasts of this origin (of several in the file).")
    ] = "",
    documents: Annotated[
        bool, typer.Option("--documents", help="Write each recommendation whole, for derive.")
    ] = False,
    pareto: Pareto = None,
    history: History = None,
    lines: Annotated[
        Path | None,
        typer.Option("--lines", help="Parquet to write: transfers and changes of open orders. Absent: none are made."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; 0: one per core. Same result.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Plan every item of a file: an order with its reasons, or why there is none.

    \b
    Examples:
      ./run plan --items items.parquet --forecasts forecasts.parquet --out plan.parquet
      ./run plan --items I.parquet --forecasts F.parquet --budget 25000 --volume 12.5 --out R.parquet --json
      ./run plan --items I.parquet --forecasts F.parquet --pareto weights.json --out R.parquet
      ./run plan --items I.parquet --forecasts F.parquet --origin 2026-03-01 --pareto W.json --history H.parquet --out R.parquet
      ./run plan --items I.parquet --forecasts F.parquet --policy P.json --lines L.parquet --out R.parquet
    """
    request = offline.Request(
        items=_file(items),
        forecasts=_file(forecasts),
        out=out,
        parameters=_parameters(policy),
        budget=Budget(_limit("--budget", budget), _limit("--volume", volume), _capacities(supplier_capacity or [])),
        origin=_day(origin),
        documents=documents,
        pareto=pareto,
        history=_history(history, pareto),
        lines=lines,
        workers=workers,
    )
    try:
        found = offline.run(request, output.say)
    except FileRefused as refused:
        code, what, why, way_out = refused.args
        raise Trouble(code, what, why=why, way_out=way_out) from refused
    told = {
        "out": str(out), "rows": found.rows, "orders": found.orders, "value": str(found.value),
        "withheld": dict(sorted(found.withheld.items())), "fields_to_mend": dict(sorted(found.fields.items())),
        "scarce": found.scarce, "pareto": found.pareto, "lines": dict(sorted(found.lines.items())),
    }  # fmt: skip
    if as_json:
        output.result(told)
        return
    _tell(out, found)


def _tell(out: Path, found: offline.Summary) -> None:
    """The summary for a person."""
    output.line(f"{out}: {found.rows:,} rows, {found.orders:,} orders worth {found.value:,}")
    for reason, count in sorted(found.withheld.items(), key=lambda one: -one[1]):
        output.line(f"  no order, {reason}: {count:,}")
    for action, count in sorted(found.lines.items()):
        output.line(f"  {action}: {count:,}")
    if found.pareto:
        _tell_weights(found.pareto["all"])
    if past := found.pareto.get("history"):
        output.line(f"  on what happened from {past['first_day']} to {past['last_day']} ({past['items']:,} items):")
        _tell_weights(past["all"])
    for name, one in found.scarce.get("resources", {}).items():
        output.line(f"  {name}: {one['used']:,} of {one['capacity']:,}; one more earns {one['shadow_price']}")


def _tell_weights(judged: dict[str, Any]) -> None:
    """The settings that no other beats, with the policy in force before them."""
    for row in [judged["in_force"], *judged["efficient"]]:
        met = "" if row["fill_rate"] is None else f"; demand met {row['fill_rate']:.1%}"
        output.line(
            f"  {row['setting']}: margin lost {row['margin_lost_a_year']:,.0f}, holding {row['holding_a_year']:,.0f},"
            f" risk {row['risk_a_year']:,.0f} a year{met}"
        )


def _file(path: Path) -> Path:
    if not path.is_file():
        raise Trouble(
            "file_missing", f"{path} is not a file.", why="nothing is there under this name",
            way_out="check the path; relative paths count from the folder you are in", exit_code=Exit.USAGE,
        )  # fmt: skip
    return path


def _history(path: Path | None, pareto: Path | None) -> Path | None:
    if path is not None and pareto is None:
        raise Trouble(
            "option_refused", "--history was given without --pareto.", why="past demand judges weights, and nothing else",
            way_out="name the file to write with --pareto, or leave --history out", exit_code=Exit.USAGE,
        )  # fmt: skip
    return None if path is None else _file(path)


def _limit(option: str, text: str) -> Decimal | None:
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not (found.is_finite() and found >= 0):
        raise Trouble(
            "limit_invalid", f"{option} {text} is no limit.", why="a limit is a number of at least 0",
            way_out="leave the option out where nothing is scarce", exit_code=Exit.USAGE,
        )  # fmt: skip
    return found


def _capacities(given: list[str]) -> dict[str, Decimal] | None:
    found = {}
    for one in given:
        name, _sign, units = one.partition("=")
        limit = _limit("--supplier-capacity", units)
        if not name or limit is None:
            raise Trouble(
                "limit_invalid", f"--supplier-capacity {one} names no supplier and units.", why="it must be SUPPLIER=UNITS",
                way_out="write it like ACME=1200", exit_code=Exit.USAGE,
            )  # fmt: skip
        found[name] = limit
    return found or None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Trouble(
            "origin_invalid", f"--origin {text} is no date.", why="a date is written 2026-01-31",
            way_out="correct it, or leave it out when the file has one origin", exit_code=Exit.USAGE,
        ) from None  # fmt: skip


def _parameters(path: Path | None) -> Parameters:
    if path is None:
        return Parameters()
    try:
        given = json.loads(_file(path).read_text("utf-8"), parse_float=str, parse_int=str)
        return parse_parameters(given)
    except (ValueError, AttributeError) as error:
        why = error.explanation if isinstance(error, PolicyRefusal) else f"it is no JSON object: {error}"
        raise Trouble(
            "policy_contradictory", f"{path} cannot be applied.", why=why,
            way_out="correct the parameter; docs/policy.md lists them with their defaults", exit_code=Exit.USAGE,
        ) from None  # fmt: skip
