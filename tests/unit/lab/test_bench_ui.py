"""The bench of the pages: its lines are the contract's and take one signature each, its verdicts can be "not met"."""

from collections import Counter
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from cli.bench_ui import LINES, LINES_EACH, PLANNERS, REVIEWED, TARGETS, verdicts
from lab.bench import full_queue
from lab.bench.full_queue import _decision_ids
from schemas.catalogue import ItemDefined
from services.approvals.domain.matrix import Matrix
from services.approvals.settings import Settings

FIGURES: dict[str, Any] = {
    "pages": {
        "usable": {"first_ms": 1200, "later_ms": {"p50": 800}},
        "scroll": {"p95": 40},
        "filter": {"p95": 90},
        "echo": {"p95": 60},
        "page_kb": {"sent": 300, "compressed": 120},
        "review": {"median_seconds": 0.2},
    },
    "planners": {
        "reads": {"milliseconds": {"p99": 200}},
        "decisions": {"milliseconds": {"p99": 400}},
        "lost": 0,
        "published_twice": 0,
        "refused": {},
    },
}


def test_no_supplier_has_so_many_lines_that_they_add_up_to_a_split_order() -> None:
    made = [full_queue.line("bench", number) for number in range(LINES)]
    by_supplier: Counter[str | None] = Counter()
    for one in made:
        by_supplier[one.supplier] += int(one.value)
    ceiling = Matrix().rolling_value_above or 10 * Settings().second_signature_above
    assert max(by_supplier.values()) < ceiling
    assert len({one.line_id for one in made}) == len({one.sku for one in made}) == LINES
    assert {one.sku for one in made} == {
        body.sku for body in full_queue.masters("bench", LINES) if isinstance(body, ItemDefined)
    }
    assert all(one.quantity * one.unit_cost == one.value < Decimal(50) for one in made)


def test_there_are_lines_enough_for_everybody() -> None:
    assert REVIEWED + PLANNERS * LINES_EACH + 1 < LINES / 2


@pytest.mark.parametrize(
    ("part", "figure", "target"),
    [
        (("pages", "filter", "p95"), 101, "filter_p95_ms"),
        (("planners", "decisions", "milliseconds", "p99"), 501, "decisions_p99_ms"),
        (("planners", "lost"), 1, "decisions_lost"),
        (("planners", "published_twice"), 1, "decisions_lost"),
        (("planners", "refused"), {"503 owner_away": 2}, "decisions_lost"),
    ],
)
def test_a_figure_beyond_its_target_is_told_and_no_other(part: tuple[str, ...], figure: Any, target: str) -> None:
    assert all(one["met"] for one in verdicts(FIGURES).values())
    worse = deepcopy(FIGURES)
    place = worse
    for name in part[:-1]:
        place = place[name]
    place[part[-1]] = figure
    assert {name for name, one in verdicts(worse).items() if not one["met"]} == {target}
    assert set(verdicts(worse)) == set(TARGETS)


def test_only_records_that_tell_of_a_decision_count() -> None:
    assert _decision_ids(b'{"decision_id":"d-1","line_id":"l"}') == ["d-1"]
    assert _decision_ids(b'{"line_id":"l","owner":"planner"}') == []
    assert _decision_ids(None) == []
