"""The cascade: evidence of many items in, one outcome for each, in the same order. Numbers first, words after."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.policy.domain.beside import beside
from services.policy.domain.columns import NO_LIMIT
from services.policy.domain.evidence import Evidence
from services.policy.domain.evidence_text import canonical, canonical_with
from services.policy.domain.line import Numbers, line_of
from services.policy.domain.numbers import decimal_of, plain
from services.policy.domain.outcome import Outcome, Recommendation, Thresholds, Withheld
from services.policy.domain.projection import projected, texts_of
from services.policy.domain.reckoning import Book, Reckoned, effects_of, reckon
from services.policy.domain.render import render
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.supply_calendar import Opportunity

# Items that are computed together: their arrays stay within the processor's cache, and the results do not depend on it.
CHUNK_ITEMS = 2_048


def plan(evidences: Sequence[Evidence], book: Book | None = None) -> list[Outcome]:
    """A recommendation or a reason for each item: every item exactly once, at its own place.

    The outcome of an item depends on its evidence alone, never on the items beside it. `book` is told the numbers, for who
    looks at the same items' open orders next.
    """
    outcomes: list[Outcome | None] = [None] * len(evidences)
    ready: list[tuple[int, Opportunity]] = []
    for index, evidence in enumerate(evidences):
        found = screen(heeded(evidence))
        if isinstance(found, Fault):
            outcomes[index] = Withheld(found.reason, found.says, found.field, evidence.as_of)
        else:
            ready.append((index, found))
    for start in range(0, len(ready), CHUNK_ITEMS):
        chunk = ready[start : start + CHUNK_ITEMS]
        some, opportunities = [evidences[index] for index, _opportunity in chunk], [one for _index, one in chunk]
        reckoned = reckon(some, opportunities)
        if book is not None:
            book.keep(some, opportunities, reckoned)
        results = _plan_ready(some, opportunities, reckoned)
        for (index, _opportunity), outcome in zip(chunk, results, strict=True):
            outcomes[index] = outcome
    return [one for one in outcomes if one is not None]


def derive(evidence: Evidence) -> bytes:
    """The canonical bytes of what this evidence leads to: a recommendation's document, or a reason's."""
    (outcome,) = plan([evidence]) if evidence.about is None else (beside(evidence),)
    if isinstance(outcome, Recommendation):
        return canonical_with(outcome.said, outcome.parts)
    return canonical({"withheld": outcome.reason, "says": outcome.says, "field": outcome.field})


def _plan_ready(
    evidences: Sequence[Evidence], opportunities: Sequence[Opportunity], reckoned: Reckoned
) -> list[Outcome]:
    columns, levels, lots = reckoned.columns, reckoned.levels, reckoned.lots
    ordered = np.flatnonzero(lots.quantity > 0).astype(np.int64)
    expected, expected_with, first_empty = projected(columns, levels, ordered, lots.quantity)
    empty_days = first_empty.astype(np.int64).tolist()
    orders = zip(
        Numbers.of_rows(columns, levels, lots, ordered.tolist(), empty_days),
        texts_of(expected),
        texts_of(expected_with),
        strict=True,
    )
    return [
        _recommended(evidence, opportunity, figures, *next(orders))
        if figures.quantity > 0
        else _withheld(evidence, figures)
        for evidence, opportunity, figures in zip(evidences, opportunities, _figures_of(reckoned), strict=True)
    ]


class _Figures(NamedTuple):
    """What is told of every item of a chunk: one row as Python's numbers."""

    on_order: float
    step: float
    pack: float
    moq: float
    available: float
    position: float
    reorder_point: float
    order_up_to: float
    days_of_cover: float
    quantity: float
    unlimited: float
    smallest: float
    shelf_cap: float
    never_cap: float
    is_needed: bool
    is_expiry_limited: bool


def _figures_of(reckoned: Reckoned) -> list[_Figures]:
    columns, levels, lots = reckoned.columns, reckoned.levels, reckoned.lots
    in_order: list[NDArray[Any]] = [
        columns.on_order, columns.step, columns.pack, columns.moq, levels.available, levels.position, levels.reorder_point,
        levels.order_up_to, levels.days_of_cover, lots.quantity, lots.unlimited, lots.smallest, lots.shelf_cap, lots.never_cap,
        lots.is_needed, lots.is_expiry_limited,
    ]  # fmt: skip
    return list(map(_Figures, *(column.tolist() for column in in_order)))


def _recommended(
    evidence: Evidence,
    opportunity: Opportunity,
    figures: _Figures,
    numbers: Numbers,
    without_order: str,
    with_order: str,
) -> Recommendation:
    line = line_of(evidence, opportunity, numbers, effects_of(evidence))
    said = render(line, without_order, with_order)
    return Recommendation(
        recommendation_id=said.identity,
        said=said.said,
        parts=said.parts,
        quantity=numbers.quantity,
        value=line.amounts.value,
        signature=said.signature,
        reorder_point=numbers.reorder_point,
        order_up_to=numbers.order_up_to,
        thresholds=_thresholds(figures),
        next_days=(opportunity.next_order_on, opportunity.next_arrive_on),
    )


def _rationed(evidence: Evidence, wanted: Decimal) -> tuple[str, str]:
    one = evidence.allotment
    assert one is not None  # without one, what is wanted is ordered
    says = (
        f"{plain(wanted)} are wanted, but {one.resource} was used up by items that earn more with it: place {one.rank} in the"
        f" list; one more unit of {one.resource} would earn {plain(one.shadow_price)}."
    )
    return "resource_exhausted", says


def _thresholds(one: _Figures) -> Thresholds:
    """Below the first, one more pack is needed; at or above the second, one less, or none (see `lots.lots_of`).

    Where shelf life limits the order, its room takes the place of what is wanted: it grows and shrinks with the position.
    """
    on_order, step, quantity, pack = one.on_order, one.step, one.quantity, one.pack
    point, level = one.reorder_point - on_order, one.order_up_to - on_order
    more = max(point - quantity, _next_after(level - quantity - pack, step))
    fewer = max(_next_after(level - quantity, step), point - quantity + pack)
    is_smallest = quantity <= one.smallest
    fewer = point if is_smallest else min(fewer, point)
    if one.is_expiry_limited and one.available < more:
        more = _next_after(one.shelf_cap - on_order - quantity - pack, step)
    # The smallest order is proposed up to the risk nobody may take, anything larger up to the one taken without asking.
    cap = (one.never_cap if is_smallest else one.shelf_cap) - on_order
    fewer = min(fewer, _next_after(cap - quantity, step))
    return Thresholds(decimal_of(more), decimal_of(fewer))


def _next_after(units: float, step: float) -> float:
    """The lowest stock above this that the item's unit allows; there is none above an infinite one."""
    return units if units == NO_LIMIT else (math.floor(round(units / step, 6)) + 1.0) * step


def _withheld(evidence: Evidence, one: _Figures) -> Withheld:
    position, reorder_point = decimal_of(one.position), decimal_of(one.reorder_point)
    thresholds = Thresholds(below=decimal_of(one.reorder_point - one.on_order))
    field = None
    if one.unlimited > 0:
        reason, says = _rationed(evidence, decimal_of(one.unlimited))
    elif one.is_needed:
        smallest, cap = plain(decimal_of(one.smallest)), plain(decimal_of(one.never_cap))
        field = "moq" if one.moq > one.pack else "pack"
        reason = "minimum_exceeds_shelf_life"
        below = _next_after(one.never_cap - one.smallest - one.on_order, one.step)
        thresholds = Thresholds(decimal_of(below), at_or_above=thresholds.below)
        says = f"The smallest order is {smallest}, but only {cap} can be sold before it expires."
    elif reorder_point <= 0:
        reason = "demand_too_low"
        says = "The expected demand is so low that the service goal is met without stock."
    else:
        reason = "enough_stock"
        says = f"Inventory position {plain(position)} is not below the reorder point {plain(reorder_point)}."
    return Withheld(
        reason=reason,
        says=says,
        field=field,
        as_of=evidence.as_of,
        on_order=decimal_of(one.on_order),
        position=position,
        reorder_point=reorder_point,
        order_up_to=decimal_of(one.order_up_to),
        days_of_cover=one.days_of_cover,
        thresholds=thresholds,
    )
