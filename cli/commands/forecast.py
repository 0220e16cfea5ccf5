"""`forecast`: calibrated demand distributions from a file to a file, without broker or database."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import output
from cli.errors import Exit, Trouble
from cli.options import AsJson
from services.forecaster import offline
from services.forecaster.model.extras import ExtraMissing
from services.forecaster.model.strategies import NAMES
from services.forecaster.offline_frame import Wanted
from services.forecaster.offline_reading import FileRefused

app = typer.Typer(add_completion=False)
STEPS = {"D": 1, "W": 7}
HORIZON_MAX = 366

Origins = Annotated[
    str, typer.Option("--origins", help="Last known days, D1,D2,…; nothing after them is used. Default: the last row.")
]

Future = Annotated[
    Path | None, typer.Option("--future", help="Regressors known ahead: unique_id, ds and their columns.")
]

Known = Annotated[
    str | None,
    typer.Option("--known", help="Columns known ahead; of the history these are read past the origin too."),
]

Cumulative = Annotated[
    str, typer.Option("--cumulative", help="Also totals over so many periods, 7,14,28, calibrated as totals.")
]

CumulativeOut = Annotated[
    Path | None, typer.Option("--cumulative-out", help="Where; default: beside --out, as <name>.cumulative.parquet.")
]

Gaps = Annotated[
    str, typer.Option("--gaps", help="Days without a row: zero, unknown, or auto (zero if the file writes no zeros).")
]


@app.command()
def forecast(
    history: Annotated[Path, typer.Option("--history", help="Parquet or CSV: unique_id, ds, y, regressors, statics.")],
    out: Annotated[Path, typer.Option("--out", help="Parquet to write: unique_id, ds, cutoff, mean, q0.1, …")],
    horizon: Annotated[int, typer.Option("--horizon", min=1, max=HORIZON_MAX, help="Periods to look ahead.")] = 28,
    origins: Origins = "",
    future: Future = None,
    known: Known = None,
    quantiles: Annotated[str, typer.Option("--quantiles", help="Levels between 0 and 1.")] = "0.1,0.5,0.9,0.95,0.99",
    cumulative: Cumulative = "",
    cumulative_out: CumulativeOut = None,
    freq: Annotated[str | None, typer.Option("--freq", help="D or W; default: told from the dates.")] = None,
    strategy: Annotated[str, typer.Option("--strategy", help=f"One of {', '.join(NAMES)}.")] = "lightgbm",
    location: Annotated[str | None, typer.Option("--location", help="Column that names the place.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="Column that names the category.")] = None,
    product: Annotated[str | None, typer.Option("--product", help="Column that names the product.")] = None,
    gaps: Gaps = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same data and seed: same bytes.")] = 20171105,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Cores; does not change results.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Forecast every series of a file at every origin, from what was known at the end of that day.

    \b
    Examples:
      ./run forecast --history sales.parquet --horizon 28 --out next.parquet
      ./run forecast --history H.parquet --origins 2017-10-08,2017-11-05 --future promotions.parquet --cumulative 7,14,28 --out F.parquet
    """
    roles = {"location": location, "category": category, "product": product}
    totals = tuple(sorted({int(_number("--cumulative", one, 1, horizon)) for one in _words(cumulative)}))
    request = offline.Request(
        wanted=Wanted(
            history=_file(history),
            future=_file(future) if future else None,
            known=tuple(_words(known)) if known is not None else None,
            step_days=STEPS[_one_of("--freq", freq.upper(), tuple(STEPS))] if freq else None,
            origins=tuple(_day(one) for one in _words(origins)),
            horizon=horizon,
            roles=tuple((role, column) for role, column in roles.items() if column),
            gaps=_one_of("--gaps", gaps, ("auto", "zero", "unknown")),
        ),
        levels=tuple(sorted({_number("--quantiles", one, 0.0001, 0.9999) for one in _words(quantiles)})),
        totals=totals,
        out=out,
        totals_out=(cumulative_out or out.with_name(f"{out.stem}.cumulative.parquet")) if totals else None,
        strategy=_one_of("--strategy", strategy, NAMES),
        seed=seed,
        threads=threads,
    )
    outcome = _run(request)
    if as_json:
        output.result(_told(request, outcome))
    else:
        _show(request, outcome)


def _run(request: offline.Request) -> offline.Outcome:
    try:
        return offline.run(request, output.say)
    except ExtraMissing as missing:
        raise Trouble(
            "extra_missing", f"{missing}.", why="the strategy's package is not installed",
            way_out="install the extra, or choose another --strategy", exit_code=Exit.MISSING,
        ) from missing  # fmt: skip
    except FileRefused as refused:
        code, what, why, way_out = refused.args
        raise Trouble(code, what, why=why, way_out=way_out) from refused


def _told(request: offline.Request, outcome: offline.Outcome) -> dict[str, Any]:
    return {
        "out": str(request.out), "cumulative_out": str(request.totals_out) if request.totals_out else None,
        "series": outcome.series, "origins": outcome.origins, "rows": outcome.rows, "frequency": outcome.frequency,
        "strategies": outcome.strategies, "flags": outcome.flags, "rows_unreadable": outcome.rows_unreadable,
    }  # fmt: skip


def _show(request: offline.Request, outcome: offline.Outcome) -> None:
    output.line(f"{request.out}: {outcome.rows:,} rows, {outcome.series:,} series at {outcome.origins} origins")
    if request.totals_out:
        output.line(f"{request.totals_out}: totals over {', '.join(map(str, request.totals))} periods")
    for what, counts in (("strategy", outcome.strategies), ("flag", outcome.flags)):
        for name, count in sorted(counts.items()):
            output.line(f"  {what} {name}: {count:,}")


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _file(path: Path) -> Path:
    if not path.is_file():
        raise Trouble(
            "file_missing", f"{path} is not a file.", why="nothing is there under this name",
            way_out="check the path; relative paths count from the folder you are in", exit_code=Exit.USAGE,
        )  # fmt: skip
    return path


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise _usage("--origins", text, "days are written 2026-11-21") from error


def _number(option: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise _usage(option, text, "it is not a number") from error
    if not low <= value <= high:
        raise _usage(option, text, f"it must lie between {low:g} and {high:g}")
    return value


def _one_of(option: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise _usage(option, text, f"it must be one of {', '.join(allowed)}")
    return text


def _usage(option: str, text: str, why: str) -> Trouble:
    return Trouble(
        "option_refused", f"{option} cannot be {text!r}.", why=why, way_out="see `./run forecast --help`",
        exit_code=Exit.USAGE,
    )  # fmt: skip
