"""`./run plan`: the service's cascade from files to a file, without broker or database, for what-if and outside checks.

Every row of the item file becomes exactly one row of the result: an order, or why not. Lines beside the orders have a file of
their own.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from services.policy.domain.cascade import plan
from services.policy.domain.evidence import Evidence, Policy
from services.policy.domain.evidence_text import canonical_with
from services.policy.domain.order_changes import order_changes
from services.policy.domain.outcome import Outcome, Recommendation, Withheld
from services.policy.domain.parameters import Parameters
from services.policy.domain.scarcity import Budget, allot
from services.policy.domain.screening import LEAD_TIME_REACH, Fault, screen
from services.policy.domain.transfer_lines import coming, receiving
from services.policy.offline_files import LINES, RESULT, ResultFile, forecasts_of, item_chunks
from services.policy.offline_forecasts import ForecastBook
from services.policy.offline_history import weights_on
from services.policy.offline_lines import Proposed, line_rows, transfers_in
from services.policy.offline_rows import BadRow, rows_of
from services.policy.pareto import report

Say = Callable[[str], None]
Rows = dict[str, list[Any]]  # by column
# Rows that one worker plans at a time; a file below twice that is planned in this process: a worker takes a second to start.
CHUNK_ROWS = 4_096
TENANT = "offline"


@dataclass(frozen=True, slots=True)
class Request:
    """What to plan, by which rules, under which limits. `documents`: write each recommendation whole, for `derive`;
    `pareto`: where to write what other weights would lead to, with `history` also what they would have led to; `lines`: where to write transfers and changes of open orders.
    Without it nothing moves and no order is changed."""

    items: Path
    forecasts: Path
    out: Path
    parameters: Parameters = field(default_factory=Parameters)
    budget: Budget = field(default_factory=Budget)
    origin: date | None = None
    documents: bool = False
    pareto: Path | None = None
    history: Path | None = None
    lines: Path | None = None
    workers: int = 0


@dataclass(slots=True)
class Summary:
    """What came of it. `withheld`: rows without an order by reason; `lines`: lines beside the orders by action; money as text
    in the file's currency."""

    rows: int = 0
    orders: int = 0
    value: Decimal = Decimal(0)
    withheld: dict[str, int] = field(default_factory=dict)
    fields: dict[str, int] = field(default_factory=dict)
    scarce: dict[str, Any] = field(default_factory=dict)
    pareto: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of the file on its way: evidence to plan, or the fault that stops it."""

    sku: str
    location: str
    evidence: Evidence | None
    fault: Fault | None
    volume_m3: float = 0.0


def run(request: Request, say: Say = lambda line: None) -> Summary:
    """Plan every row and write the result. Raises FileRefused for files that cannot be used at all."""
    say(f"reading {request.forecasts.name}")
    book = forecasts_of(request.forecasts, request.origin)
    say(f"{len(book.forecasts):,} forecasts; reading {request.items.name}")
    entries = list(_entries(request, book))
    del book
    summary = Summary(rows=len(entries))
    if request.budget.resources:
        say(f"choosing under {', '.join(request.budget.resources)}")
        entries = _rationed(entries, request.budget, summary)
    if request.pareto is not None:
        say("weighing service, cost and risk otherwise")
        summary.pareto = report(ready := _ready(entries))
        if request.history is not None:
            say(f"and on the days of {request.history.name}")
            summary.pareto["history"] = weights_on(request.history, request.forecasts, ready, _forecast_fault)
        request.pareto.write_text(json.dumps(summary.pareto, indent=1) + "\n", "utf-8")
    moves: list[Proposed] = []
    if request.lines is not None:
        say("looking for transfers")
        moves = transfers_in(_ready(entries))
        arrivals = coming(moves)
        entries = [
            one if one.evidence is None else replace(one, evidence=receiving(one.evidence, arrivals)) for one in entries
        ]
    _write(entries, moves, request, summary, say)
    return summary


def _write(entries: Sequence[_Entry], moves: Sequence[Proposed], request: Request, summary: Summary, say: Say) -> None:
    """Plan the entries and write both results, each beside its name until it is whole."""
    result = ResultFile(request.out)
    lines = None if request.lines is None else ResultFile(request.lines, LINES)
    is_whole = False
    try:
        if lines is not None:
            _add_lines(lines, line_rows(moves, request.documents), summary)
        for done, (rows, beside) in enumerate(_planned(entries, request), start=1):
            result.write(rows)
            _count(summary, rows)
            if lines is not None:
                _add_lines(lines, beside, summary)
            if done % 5 == 0:
                say(f"{min(done * CHUNK_ROWS, len(entries)):,} of {len(entries):,} planned")
        is_whole = True
    finally:
        for file in (result, lines):
            if file is not None:
                file.close(keep=is_whole)


def _add_lines(lines: ResultFile, rows: Rows, summary: Summary) -> None:
    lines.write(rows)
    for action in rows["action"]:
        summary.lines[action] = summary.lines.get(action, 0) + 1


def _entries(request: Request, book: ForecastBook) -> Iterator[_Entry]:
    policy = Policy("file", 1, request.parameters)
    seen: set[tuple[str, str]] = set()
    for columns in item_chunks(request.items):
        for row in rows_of(columns, book.get, policy, TENANT):
            if isinstance(row, BadRow):
                yield _Entry(row.sku, row.location, None, Fault("field_invalid", row.says, row.field))
                continue
            evidence = row.evidence
            key = (evidence.sku, evidence.location)
            if key in seen:
                says = "The file has this item twice; the first row counts."
                yield _Entry(*key, None, Fault("duplicate_row", says, "sku"))
                continue
            seen.add(key)
            yield _Entry(*key, evidence, _forecast_fault(evidence, book, key), row.volume_m3)


def _forecast_fault(evidence: Evidence, book: ForecastBook, key: tuple[str, str]) -> Fault | None:
    if key in book.faults:
        return Fault("forecast_invalid", f"The forecast {book.faults[key]}."[:400], "forecast")
    reach = book.reach_days.get(key)
    found = screen(evidence) if reach is not None else None
    if reach is None or found is None or isinstance(found, Fault) or evidence.terms is None:
        return None
    needed = found.protection_days + LEAD_TIME_REACH * float(evidence.terms.lead_time_sd_days)
    if needed <= reach:
        return None
    says = f"The forecast reaches {reach} days; until the next receipt but one it takes {needed:.0f}."
    return Fault("forecast_too_short", says, "forecast")


def _ready(entries: Sequence[_Entry]) -> list[Evidence]:
    """The evidence that can be planned, in the order of the rows."""
    return [one.evidence for one in entries if one.evidence is not None and one.fault is None]


def _rationed(entries: Sequence[_Entry], budget: Budget, summary: Summary) -> list[_Entry]:
    places = [place for place, one in enumerate(entries) if one.evidence is not None and one.fault is None]
    found = allot(_ready(entries), budget, [entries[place].volume_m3 for place in places])
    rationed = list(entries)
    for index, allotment in found.allotments.items():
        place = places[index]
        evidence = entries[place].evidence
        assert evidence is not None  # chosen above
        rationed[place] = replace(entries[place], evidence=replace(evidence, allotment=allotment))
    summary.scarce = found.told()
    return rationed


def _planned(entries: Sequence[_Entry], request: Request) -> Iterator[tuple[Rows, Rows]]:
    """Of each chunk the result rows, and the rows of changes of its open orders (none unless lines are asked for)."""
    chunks = [entries[start : start + CHUNK_ROWS] for start in range(0, len(entries), CHUNK_ROWS)]
    workers = request.workers or min(os.cpu_count() or 1, 8)
    work = partial(_chunk, documents=request.documents, has_lines=request.lines is not None)
    if workers < 2 or len(chunks) < 3:
        yield from map(work, chunks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, chunks)


def _chunk(entries: Sequence[_Entry], *, documents: bool, has_lines: bool) -> tuple[Rows, Rows]:
    return _rows(entries, documents), line_rows(order_changes(_ready(entries)) if has_lines else (), documents)


def _rows(entries: Sequence[_Entry], documents: bool) -> Rows:
    """The result rows of some entries, by column."""
    outcomes = iter(plan(_ready(entries)))
    rows: dict[str, list[Any]] = {one.name: [] for one in RESULT}
    for entry in entries:
        if entry.fault is not None or entry.evidence is None:
            assert entry.fault is not None  # an entry has evidence or a fault
            told = _fault(entry, entry.fault)
        else:
            told = _outcome(entry.evidence, next(outcomes), documents)
        for name, values in rows.items():
            values.append(told.get(name))
    return rows


def _fault(entry: _Entry, fault: Fault) -> dict[str, Any]:
    place = {"sku": entry.sku, "location": entry.location, "outcome": "none"}
    return place | {"reason": fault.reason, "field": fault.field, "says": fault.says}


def _outcome(evidence: Evidence, outcome: Outcome, documents: bool) -> dict[str, Any]:
    place: dict[str, Any] = {"sku": evidence.sku, "location": evidence.location, "as_of": evidence.as_of}
    if evidence.allotment is not None:
        place["rank"] = evidence.allotment.rank
    if isinstance(outcome, Withheld):
        return place | {
            "outcome": "none", "reason": outcome.reason, "field": outcome.field, "says": outcome.says,
            "inventory_position": outcome.position, "reorder_point": outcome.reorder_point,
            "order_up_to": outcome.order_up_to, "days_of_cover": outcome.days_of_cover,
        }  # fmt: skip
    return place | _order(evidence, outcome, documents)


def _order(evidence: Evidence, outcome: Recommendation, documents: bool) -> dict[str, Any]:
    document = outcome.said
    numbers = ("unit_cost", "value", "inventory_position", "money_at_risk", "excess_from_rounding", "excess_cost")
    steps = outcome.steps if evidence.allotment is not None else []
    limits = [step for step in steps if step["code"] == "allotment"]
    return {
        "outcome": "order", "says": document["explanation"], "quantity": outcome.quantity, "unit": document["unit"],
        "supplier": document["supplier"], "currency": document["currency"],
        "order_on": date.fromisoformat(document["order_on"]), "arrive_on": date.fromisoformat(document["arrive_on"]),
        "reorder_point": outcome.reorder_point, "order_up_to": outcome.order_up_to,
        "days_of_cover": document["days_of_cover"], "stockout_probability": float(document["stockout_probability"]),
        "gmroi": document.get("gmroi"), "confidence": float(document["confidence"]),
        "approved_by_rule": document["approved_by_rule"], "route_reasons": ",".join(document["route_reasons"]),
        "wanted_without_limits": Decimal(limits[0]["inputs"]["unlimited"]) if limits else outcome.quantity,
        "recommendation_id": outcome.recommendation_id, "evidence_sha256": document["evidence_sha256"],
        "document": canonical_with(document, outcome.parts).decode() if documents else None,
    } | {name: Decimal(document[name]) for name in numbers}  # fmt: skip


def _count(summary: Summary, rows: Rows) -> None:
    for outcome, reason, name, value in zip(rows["outcome"], rows["reason"], rows["field"], rows["value"], strict=True):
        if outcome == "order":
            summary.orders += 1
            summary.value += value
            continue
        summary.withheld[reason] = summary.withheld.get(reason, 0) + 1
        if name is not None:
            summary.fields[name] = summary.fields.get(name, 0) + 1
