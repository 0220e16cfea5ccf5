"""Columns, levels and lots of some items, signals heard: the numbers everything that is said of an item is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from services.policy.domain.columns import Columns, columns_of
from services.policy.domain.evidence import Evidence
from services.policy.domain.levels import Levels, levels_of, round_down
from services.policy.domain.line import Effect
from services.policy.domain.lots import Lots, lots_of
from services.policy.domain.numbers import decimal_of
from services.policy.domain.scenarios import active, heeded, target_most, without
from services.policy.domain.screening import Fault, screen
from services.policy.domain.supply_calendar import Opportunity


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The numeric cascade of some items, one row each."""

    columns: Columns
    levels: Levels
    lots: Lots


@dataclass(slots=True)
class Book:
    """What was reckoned a moment ago, for who asks about the same evidence next. A row's numbers do not depend on the rows
    beside it, so that who finds them here says the same as who reckons anew."""

    _places: dict[int, tuple[Evidence, Opportunity, Reckoned, int]] = field(default_factory=dict)

    def keep(self, evidences: Sequence[Evidence], opportunities: Sequence[Opportunity], reckoned: Reckoned) -> None:
        """Remember the rows of these, by the very objects: to compare all they hold would take longer than to reckon."""
        for row, (evidence, opportunity) in enumerate(zip(evidences, opportunities, strict=True)):
            self._places[id(evidence)] = (evidence, opportunity, reckoned, row)

    def find(self, evidence: Evidence) -> tuple[Opportunity, Reckoned, int] | None:
        """Its opportunity, and where its numbers are; None: nobody has reckoned them."""
        found = self._places.get(id(evidence))
        return None if found is None else found[1:]


def reckon(evidences: Sequence[Evidence], opportunities: Sequence[Opportunity]) -> Reckoned:
    """The numbers of items that passed `screening.screen`, in the given order."""
    touched = [row for row, evidence in enumerate(evidences) if evidence.signals]
    assumed = [heeded(evidence) for evidence in evidences]
    columns = columns_of(assumed, opportunities)
    if touched:
        columns = _bounded(columns, evidences, touched)
    levels = levels_of(columns)
    return Reckoned(columns, levels, lots_of(columns, levels))


def _bounded(columns: Columns, evidences: Sequence[Evidence], touched: Sequence[int]) -> Columns:
    """The reorder point a signal's strategy allows at most: a multiple of the one without any signal."""
    most = columns.reorder_most.copy()
    for row in touched:
        factor = target_most(evidences[row])
        if factor < float("inf"):
            most[row] = factor * float(_numbers(without(evidences[row], evidences[row].signals))[0])
    return replace(columns, reorder_most=np.where(np.isfinite(most), round_down(most, columns.step), most))


def effects_of(evidence: Evidence) -> tuple[Effect, ...]:
    """For each active signal, reorder point and quantity without it."""
    found = []
    for one in active(evidence) if evidence.signals else ():
        point, quantity = _numbers(without(evidence, (one,)))
        found.append(Effect(one, point, quantity))
    return tuple(found)


def _numbers(evidence: Evidence) -> tuple[Decimal, Decimal]:
    """(reorder point, quantity) of one item, without words; zeros where it cannot be planned."""
    opportunity = screen(heeded(evidence))
    if isinstance(opportunity, Fault):
        return Decimal(0), Decimal(0)
    reckoned = reckon([evidence], [opportunity])
    return decimal_of(float(reckoned.levels.reorder_point[0])), decimal_of(float(reckoned.lots.quantity[0]))
