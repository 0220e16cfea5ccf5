"""The Pareto report, of `./run plan --pareto` and of the page Policy: what other weights of service, cost and risk would lead to on the same items, before they go live.

Here on the forecasts' own distributions; `pareto_history` judges the same settings by what really happened.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.policy.domain.cascade import CHUNK_ITEMS
from services.policy.domain.columns import DAYS_PER_YEAR, Columns, Floats
from services.policy.domain.evidence import Evidence
from services.policy.domain.levels import round_up
from services.policy.domain.numbers import plain
from services.policy.domain.objectives import Weights, choices_of, efficient, holding_of, judged, outcomes_of
from services.policy.domain.reckoning import Reckoned, reckon
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.supply_calendar import Opportunity

IN_FORCE = "in force"
# Holding weighs 1. It is money of days, sales lost are money at once: even a small weight on them asks for much service.
GRID = tuple(Weights(service, 1.0, risk) for service in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0) for risk in (0.0, 0.01, 0.1))
MEASURES = ("lost", "held", "tail", "short_units", "demand_units", "stock_value")


@dataclass(slots=True)
class Sums:
    """Money and units of a year, and the value of the stock at the levels, by class and setting."""

    settings: tuple[str, ...]
    by_class: dict[str, Floats]

    @staticmethod
    def of(grid: Sequence[Weights]) -> "Sums":
        """Nothing yet, of the policy in force and each setting of the grid."""
        return Sums((IN_FORCE, *(f"{one.service:g}:{one.cost:g}:{one.risk:g}" for one in grid)), {})

    def add(self, name: str, setting: int, values: Floats) -> None:
        table = self.by_class.setdefault(name, np.zeros((len(self.settings), len(MEASURES))))
        table[setting] += values

    def judged(self) -> dict[str, Any]:
        """What the settings lead to, for all items and by class."""
        whole = sum(self.by_class.values(), np.zeros((len(self.settings), len(MEASURES))))
        return {
            "all": _judgement(self.settings, whole),
            "by_class": {name: _judgement(self.settings, table) for name, table in sorted(self.by_class.items())},
        }


def report(evidences: Sequence[Evidence], grid: Sequence[Weights] = GRID) -> dict[str, Any]:
    """For each class and for all items: what the policy in force and each setting of the grid lead to, and which settings no
    other one beats in margin lost, holding cost and risk together.

    Expected on the forecasts' own distributions, over one protection interval and scaled to a year. The risk of a class is the
    sum of its items' risks, as if all had their bad cycle at once: it is never understated. Items that cannot be planned are
    left out, and counted.
    """
    sums = Sums.of(grid)
    ready: list[tuple[Evidence, Opportunity]] = []
    for evidence in evidences:
        found = screen(heeded(evidence))
        if not isinstance(found, Fault):
            ready.append((evidence, found))
    for start in range(0, len(ready), CHUNK_ITEMS):
        _add_chunk(sums, ready[start : start + CHUNK_ITEMS], grid)
    told = {"items": len(ready), "items_left_out": len(evidences) - len(ready), "weights": "service:cost:risk"}
    return told | sums.judged()


def for_people(found: Mapping[str, Any]) -> dict[str, Any]:
    """The report with its numbers as decimal text, and the classes as a list: for the API."""
    told = {name: one for name, one in found.items() if name not in ("weights", "all", "by_class")}
    classes = [{"name": name, **_in_text(one)} for name, one in found["by_class"].items()]
    return told | {"all": {"name": "all", **_in_text(found["all"])}, "by_class": classes}


def _in_text(judgement: Mapping[str, Any]) -> dict[str, Any]:
    def text(row: Mapping[str, Any]) -> dict[str, Any]:
        numbers = {name: plain(Decimal(str(one))) for name, one in row.items() if isinstance(one, float)}
        return dict(row) | numbers

    return dict(judgement) | {
        "in_force": text(judgement["in_force"]),
        "efficient": [text(one) for one in judgement["efficient"]],
    }


def class_names(evidences: Sequence[Evidence]) -> NDArray[np.str_]:
    """The class of each item, `none` without one."""
    return np.asarray([evidence.item.class_name if evidence.item else "none" for evidence in evidences])


def levels_by_setting(reckoned: Reckoned, demand: Floats, grid: Sequence[Weights]) -> Iterator[Floats]:
    """The stock level of each item under the policy in force, then under each setting of the grid. Units."""
    columns = reckoned.columns
    yield reckoned.levels.reorder_point
    choices = choices_of(demand, columns.margin, holding_of(columns))
    for weights in grid:
        parts = (np.full(len(demand), part) for part in (weights.service, weights.cost, weights.risk))
        yield round_up(np.maximum(choices.best(*parts), columns.presentation_minimum), columns.step)


def _add_chunk(sums: Sums, chunk: Sequence[tuple[Evidence, Opportunity]], grid: Sequence[Weights]) -> None:
    reckoned = reckon([evidence for evidence, _found in chunk], [found for _evidence, found in chunk])
    columns, exposure = reckoned.columns, reckoned.levels.exposure
    demand = outcomes_of(exposure.quantile, len(chunk))
    names = class_names([evidence for evidence, _found in chunk])
    for setting, level in enumerate(levels_by_setting(reckoned, demand, grid)):
        short_units = exposure.expected_shortage(np.maximum(level, 0.0))
        table = _of_a_year(columns, demand, level, holding_of(columns), short_units)
        for name in np.unique(names):
            sums.add(str(name), setting, table[names == name].sum(axis=0))


def _of_a_year(columns: Columns, demand: Floats, level: Floats, holding: Floats, short_units: Floats) -> Floats:
    """The measures of each row (n, MEASURES). A cycle is one review interval; what is short and left is seen at its end. What is
    short on average is of the whole distribution (`short_units`), the risk of its POINTS outcomes."""
    told = judged(demand, level, columns.margin, holding)
    cycles = DAYS_PER_YEAR / np.maximum(columns.protection_days - columns.lead_days, 1.0)
    review = demand.mean(axis=1) * np.maximum(columns.protection_days - columns.lead_days, 1.0)
    units = review / np.maximum(columns.protection_days, 1.0)
    # No more can be missed in a cycle than is asked for in it.
    short = np.minimum(short_units, units)
    columns_of_year = (
        short * columns.margin * cycles, told.held * cycles, told.tail * cycles, short * cycles, units * cycles,
        level * columns.unit_cost,
    )  # fmt: skip
    return np.stack(columns_of_year, axis=1)


def _judgement(settings: Sequence[str], table: Floats) -> dict[str, Any]:
    points = np.round(table[:, :3], 2)
    is_efficient = efficient(points.tolist())
    rows = [_row(name, values, good) for name, values, good in zip(settings, table, is_efficient, strict=True)]
    # Settings that lead to the same are told once, by the first of them.
    alike: dict[tuple[float, ...], dict[str, Any]] = {}
    for row, point in zip(rows[1:], points[1:], strict=True):
        alike.setdefault(tuple(point.tolist()), row).setdefault("like", []).append(row["setting"])
    lost, held, tail = (float(value) for value in points[0])
    better = [
        row for row, point in zip(rows[1:], points[1:], strict=True)
        if point[0] <= lost and point[1] <= held and point[2] <= tail and (point < points[0]).any()
    ]  # fmt: skip
    return {
        "in_force": rows[0],
        "better_than_in_force": [row["setting"] for row in better],
        "efficient": [row for row in alike.values() if row["is_efficient"]],
        "beaten": [row["setting"] for row in rows[1:] if not row["is_efficient"]],
    }


def _row(name: str, values: Floats, is_efficient: bool) -> dict[str, Any]:
    of = dict(zip(MEASURES, (float(value) for value in values), strict=True))
    return {
        "setting": name,
        "margin_lost_a_year": round(of["lost"], 2),
        "holding_a_year": round(of["held"], 2),
        "risk_a_year": round(of["tail"], 2),
        "fill_rate": round(1 - of["short_units"] / of["demand_units"], 4) if of["demand_units"] > 0 else None,
        "stock_value_at_level": round(of["stock_value"], 2),
        "is_efficient": is_efficient,
    }
