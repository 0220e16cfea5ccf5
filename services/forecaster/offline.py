"""Forecasts from a file to a file, without broker or database: what `./run forecast` does.

The same features, models and calibration as the service. At each origin the frame ends there: later rows do not exist
for it, whatever the file holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.forecaster.domain.cleaning import Cleaned, clean
from services.forecaster.domain.panel import DemandPanel
from services.forecaster.domain.series import flags
from services.forecaster.domain.strategy import Strategy
from services.forecaster.model.choice import decide
from services.forecaster.model.outlook import Outlook, look_ahead, periods_to_train_min
from services.forecaster.model.quantile_heads import QuantileHeads
from services.forecaster.model.strategies import PREFERRED, SIMPLE, contestants, strategy_named
from services.forecaster.offline_frame import FileFrame, Wanted, load
from services.forecaster.offline_reading import FileRefused, day_number

ROW_GROUP_ITEMS = 5_000
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to forecast. `levels` and `totals` rise; `totals` are horizons of cumulated demand, in periods."""

    wanted: Wanted
    levels: tuple[float, ...]
    totals: tuple[int, ...]
    out: Path
    totals_out: Path | None
    strategy: str
    seed: int
    threads: int


@dataclass(slots=True)
class Outcome:
    """What was done: rows written, who spoke for how many series, and which flags how many series have."""

    series: int = 0
    origins: int = 0
    rows: int = 0
    frequency: str = "D"
    strategies: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    rows_unreadable: dict[str, int] = field(default_factory=dict)


def run(request: Request, say: Say = lambda line: None) -> Outcome:
    """Read, forecast at every origin, write. Raises FileRefused for what cannot be done at all."""
    wanted = request.wanted
    say(f"reading {wanted.history.name}")
    frame = load(wanted)
    panel = frame.panel
    say(f"{len(panel.item_ids):,} series, {panel.days:,} {_noun(panel)}, from {panel.first_day} to {panel.last_day}")
    outcome = Outcome(len(panel.item_ids), len(frame.origins), frequency="D" if panel.step_days == 1 else "W")
    outcome.rows_unreadable = {reason: count for reason, count in frame.series.rows_unreadable.items() if count}
    for reason, count in outcome.rows_unreadable.items():
        say(f"{count:,} rows {reason} are left out")
    writers = _Writers(request)
    try:
        for origin in frame.origins:
            _at_origin(request, frame, origin, writers, outcome, say)
    except BaseException:
        writers.close(keep=False)
        raise
    writers.close(keep=True)
    return outcome


def _at_origin(
    request: Request, frame: FileFrame, origin: date, writers: "_Writers", outcome: Outcome, say: Say
) -> None:
    column = frame.panel.column(origin)
    if column < 0:
        raise FileRefused(
            "origin_before_history", f"The origin {origin} lies before the first row that is used.",
            f"the history begins on {frame.panel.first_day}", "choose a later origin",
        )  # fmt: skip
    horizon = request.wanted.horizon
    cleaned = clean(frame.panel.until_with_known(column, column + horizon))
    known = cleaned.panel
    there = frame.first_row <= column
    if not there.any():
        raise FileRefused(
            "no_history_at_origin", f"No series has a row at or before {origin}.", "there is nothing to learn from",
            "choose a later origin",
        )  # fmt: skip
    name = request.strategy
    if known.days < periods_to_train_min(known, horizon) and name not in SIMPLE:
        say(f"{origin}: {known.days} {_noun(known)} are too few to train on; the seasonal mean answers")
        name = "seasonal_mean"
    means = {"seed": request.seed, "threads": request.threads, "horizon": horizon}

    def choose(panel: DemandPanel) -> Strategy:
        if name != "auto":
            return strategy_named(name, **means)
        return decide(panel, contestants(**means), PREFERRED, progress=lambda stage: say(f"{origin}: {stage}"))[0]

    is_learned = name in (PREFERRED, "auto")
    heads = QuantileHeads(request.levels, horizon, request.seed, request.threads) if is_learned else None
    answer = look_ahead(
        known, there, choose, horizon, request.levels, request.totals, lambda stage: say(f"{origin}: {stage}"), heads
    )
    marked = _flags(cleaned, frame, origin, outcome)
    for spoken in answer.strategies:
        outcome.strategies[spoken] = outcome.strategies.get(spoken, 0) + 1
    outcome.rows += writers.write(frame, origin, column, answer, marked)


def _flags(cleaned: Cleaned, frame: FileFrame, origin: date, outcome: Outcome) -> list[str]:
    """Reason flags of every series, joined by commas; only what is true by the origin."""
    known = cleaned.panel
    nothing = np.zeros(len(known.item_ids))
    told = [list(one) for one in flags(known, known.days - 1, nothing, nothing.astype(np.int64))]
    marks = {code: frame.series.marked(code, day_number(origin)) for code in frame.series.flags}
    marks |= {
        "spike": np.asarray(cleaned.spikes.any(axis=1)),
        "closed_days": np.asarray(cleaned.closed.any(axis=1)),
    }
    for code, mask in sorted(marks.items()):
        for item in np.flatnonzero(mask).tolist():
            told[item].append(code)
    for one in told:
        for code in one:
            outcome.flags[code] = outcome.flags.get(code, 0) + 1
    return [",".join(one) for one in told]


def _noun(panel: DemandPanel) -> str:
    return "days" if panel.step_days == 1 else "weeks"


class _Writers:
    """The files being written, beside their names until they are whole."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._paths = [path for path in (request.out, request.totals_out) if path is not None]
        self._open: dict[Path, pq.ParquetWriter] = {}

    def write(self, frame: FileFrame, origin: date, column: int, answer: Outlook, marked: list[str]) -> int:
        """One origin, some series at a time. Returns the rows of the main file."""
        items, horizon = answer.mean.shape
        first = frame.panel.day(column)
        step = frame.panel.step_days
        days = [first + timedelta(days=step * ahead) for ahead in range(1, horizon + 1)]
        for start in range(0, items, ROW_GROUP_ITEMS):
            part = slice(start, min(start + ROW_GROUP_ITEMS, items))
            ids = frame.series.ids[part.start : part.stop]
            names, notes = answer.strategies[part], marked[part]
            shape = (answer.mean[part].reshape(-1), answer.quantiles[part].reshape(-1, len(self._request.levels)))
            self._append(self._request.out, ids, days, origin, *shape, names, notes)
            if self._request.totals_out is None:
                continue
            spans = self._request.totals
            means = np.stack([answer.totals[span][0][part] for span in spans], axis=1).reshape(-1)
            quantiles = np.stack([answer.totals[span][1][part] for span in spans], axis=1)
            ends = [days[span - 1] for span in spans]
            shape = (means, quantiles.reshape(-1, len(self._request.levels)))
            self._append(self._request.totals_out, ids, ends, origin, *shape, names, notes, spans)
        return int(items * horizon)

    def _append(
        self, path: Path, ids: pa.Array, days: list[date], origin: date, mean: Any, quantiles: Any,
        names: tuple[str, ...], notes: list[str], spans: tuple[int, ...] | None = None,
    ) -> None:  # fmt: skip
        count = len(days)
        rows = np.repeat(np.arange(len(ids)), count)
        stamp = pa.timestamp("ns")
        table: dict[str, Any] = {
            "unique_id": ids.take(pa.array(rows)),
            "ds": pa.array(np.tile(np.array(days, dtype="datetime64[ns]"), len(ids)), stamp),
            "cutoff": pa.array(np.full(len(rows), np.datetime64(origin, "ns")), stamp),
        }
        if spans is not None:
            table["horizon"] = pa.array(np.tile(np.array(spans, dtype=np.int32), len(ids)))
        table["mean"] = pa.array(mean)
        for place, level in enumerate(self._request.levels):
            table[f"q{level:g}"] = pa.array(np.ascontiguousarray(quantiles[:, place]))
        table["strategy"] = pa.array(names).dictionary_encode().take(pa.array(rows))
        table["flags"] = pa.array(notes).dictionary_encode().take(pa.array(rows))
        whole = pa.table(table)
        if path not in self._open:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[path] = pq.ParquetWriter(_draft(path), whole.schema, compression="zstd")
        self._open[path].write_table(whole)

    def close(self, *, keep: bool) -> None:
        """Give the finished files their names, or remove the drafts."""
        for path, writer in self._open.items():
            writer.close()
            if keep:
                _draft(path).replace(path)
            else:
                _draft(path).unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    return path.with_name(path.name + ".draft")
