"""Demand history moves forward from a product to the one that replaces it; no unit is lost and none appears.

What happened on the shelf (movements, counts) stays with the product it happened to; only demand moves, because it is
the demand of the customers, who go on to the successor.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

import numpy as np

from services.forecaster.domain.frame import Cells, ItemRecord, Records
from services.forecaster.domain.panel import IntArray


@dataclass(frozen=True, slots=True)
class Succession:
    """From `effective_on` on, `ratio` units of `successor` do what one of `predecessor` did."""

    predecessor: str
    successor: str
    effective_on: date
    ratio: Fraction


def heir(successions: Mapping[str, Succession], sku: str, on: date) -> tuple[str, Fraction]:
    """Who has taken the place of a product by a day, through successors of successors, and units of it per unit.

    A circle of successors has no end to move to: the product stays where it is.
    """
    ratio, seen, at = Fraction(1), {sku}, sku
    while (step := successions.get(at)) is not None and step.effective_on <= on:
        if step.successor in seen:
            return sku, Fraction(1)
        ratio *= step.ratio
        at = step.successor
        seen.add(at)
    return at, ratio


def move(records: Records, successions: Iterable[Succession]) -> Records:
    """Records with the demand of every superseded product moved to its heir, at each location when its day has come.

    An heir without records of its own gets a row; it is forecast with its predecessor's closes until it has some.
    """
    by_predecessor = {one.predecessor: one for one in successions}
    if not by_predecessor:
        return records
    items = list(records.items)
    number = {(item.sku, item.location): row for row, item in enumerate(items)}
    target = np.arange(len(items))
    factor = np.ones(len(items))
    for row, item in enumerate(records.items):
        sku, ratio = heir(by_predecessor, item.sku, item.closed_on)
        if sku == item.sku:
            continue
        key = (sku, item.location)
        if key not in number:
            number[key] = len(items)
            items.append(replace(item, sku=sku))
        heir_row = number[key]
        items[heir_row] = _begin_no_later(items[heir_row], item.first_on)
        target[row], factor[row] = heir_row, float(ratio)
    revision = np.zeros(len(items), dtype=np.int64)
    np.add.at(revision, target, records.revision)
    order = sorted(range(len(items)), key=lambda row: (items[row].sku, items[row].location))
    place = np.empty(len(items), dtype=np.int64)
    place[order] = np.arange(len(items))
    moved = Cells(target[records.demand.item], records.demand.day, records.demand.value * factor[records.demand.item])
    return Records(
        tuple(items[row] for row in order),
        _renumber(_summed(moved), place),
        _renumber(records.left, place),
        _renumber(records.net, place),
        _renumber(records.counted, place),
        records.counted_at_opening,
        revision[order],
    )


def _begin_no_later(item: ItemRecord, day: date) -> ItemRecord:
    return replace(item, first_on=min(item.first_on, day))


def _renumber(cells: Cells, place: IntArray) -> Cells:
    return Cells(place[cells.item], cells.day, cells.value) if len(cells.item) else cells


def _summed(cells: Cells) -> Cells:
    """One cell per item and day."""
    if not len(cells.item):
        return cells
    keys, where = np.unique(np.stack([cells.item, cells.day]), axis=1, return_inverse=True)
    value = np.zeros(keys.shape[1])
    np.add.at(value, where.reshape(-1), cells.value)
    return Cells(keys[0], keys[1], value)


def affected(successions: Sequence[Succession]) -> list[str]:
    """Products whose forecast changes with these: both ends of each."""
    return sorted({sku for one in successions for sku in (one.predecessor, one.successor)})
