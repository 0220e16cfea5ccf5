"""The cascade: evidence of many items in, one outcome for each, in the same order. Numbers first, words after."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from services.policy.domain.beside import beside
from services.policy.domain.columns import Columns
from services.policy.domain.evidence import Evidence
from services.policy.domain.evidence_text import canonical, canonical_with
from services.policy.domain.levels import Levels
from services.policy.domain.line import Numbers, line_of
from services.policy.domain.lots import Lots
from services.policy.domain.numbers import decimal_of, plain
from services.policy.domain.outcome import Outcome, Recommendation, Thresholds, Withheld
from services.policy.domain.projection import projected
from services.policy.domain.reckoning import effects_of, reckon
from services.policy.domain.render import render
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.supply_calendar import Opportunity

# Items that are computed together: their arrays stay within the processor's cache, and the results do not depend on it.
CHUNK_ITEMS = 2_048


def plan(evidences: Sequence[Evidence]) -> list[Outcome]:
    """A recommendation or a reason for each item: every item exactly once, at its own place.

    The outcome of an item depends on its evidence alone, never on the items beside it.
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
        results = _plan_ready([evidences[index] for index, _opportunity in chunk], [one for _index, one in chunk])
        for (index, _opportunity), outcome in zip(chunk, results, strict=True):
            outcomes[index] = outcome
    return [one for one in outcomes if one is not None]


def derive(evidence: Evidence) -> bytes:
    """The canonical bytes of what this evidence leads to: a recommendation's document, or a reason's."""
    (outcome,) = plan([evidence]) if evidence.about is None else (beside(evidence),)
    if isinstance(outcome, Recommendation):
        return canonical_with(outcome.said, outcome.evidence_text)
    return canonical({"withheld": outcome.reason, "says": outcome.says, "field": outcome.field})


def _plan_ready(evidences: Sequence[Evidence], opportunities: Sequence[Opportunity]) -> list[Outcome]:
    reckoned = reckon(evidences, opportunities)
    columns, levels, lots = reckoned.columns, reckoned.levels, reckoned.lots
    ordered = np.flatnonzero(lots.quantity > 0).astype(np.int64)
    without, with_order, first_empty = projected(columns, levels, ordered, lots.quantity)
    place = {int(row): index for index, row in enumerate(ordered)}
    outcomes: list[Outcome] = []
    for row, (evidence, opportunity) in enumerate(zip(evidences, opportunities, strict=True)):
        index = place.get(row)
        if index is None:
            outcomes.append(_withheld(evidence, columns, levels, lots, row))
            continue
        numbers = Numbers.of(columns, levels, lots, row, int(first_empty[index]))
        line = line_of(evidence, opportunity, numbers, effects_of(evidence))
        said = render(line, without[index].tolist(), with_order[index].tolist())
        outcomes.append(
            Recommendation(
                recommendation_id=said.identity,
                said=said.document,
                evidence_text=said.evidence_text,
                quantity=numbers.quantity,
                value=line.amounts.value,
                signature=said.signature,
                reorder_point=numbers.reorder_point,
                order_up_to=numbers.order_up_to,
                thresholds=_thresholds(columns, levels, lots, row),
                next_days=(opportunity.next_order_on, opportunity.next_arrive_on),
            )
        )
    return outcomes


def _rationed(evidence: Evidence, wanted: Decimal) -> tuple[str, str]:
    one = evidence.allotment
    assert one is not None  # without one, what is wanted is ordered
    says = (
        f"{plain(wanted)} are wanted, but {one.resource} was used up by items that earn more with it: place {one.rank} in the"
        f" list; one more unit of {one.resource} would earn {plain(one.shadow_price)}."
    )
    return "resource_exhausted", says


def _thresholds(columns: Columns, levels: Levels, lots: Lots, row: int) -> Thresholds:
    """Below the first, one more pack is needed; at or above the second, one less, or none (see `lots.lots_of`).

    Where shelf life limits the order, its room takes the place of what is wanted: it grows and shrinks with the position.
    """
    on_order, step = float(columns.on_order[row]), float(columns.step[row])
    quantity, pack = float(lots.quantity[row]), float(columns.pack[row])
    point, level = float(levels.reorder_point[row]) - on_order, float(levels.order_up_to[row]) - on_order
    more = max(point - quantity, _next_after(level - quantity - pack, step))
    fewer = max(_next_after(level - quantity, step), point - quantity + pack)
    is_smallest = quantity <= float(lots.smallest[row])
    fewer = point if is_smallest else min(fewer, point)
    if lots.is_expiry_limited[row] and float(levels.available[row]) < more:
        more = _next_after(float(lots.shelf_cap[row]) - on_order - quantity - pack, step)
    # The smallest order is proposed up to the risk nobody may take, anything larger up to the one taken without asking.
    cap = float((lots.never_cap if is_smallest else lots.shelf_cap)[row]) - on_order
    fewer = min(fewer, _next_after(cap - quantity, step))
    return Thresholds(decimal_of(more), decimal_of(fewer))


def _next_after(units: float, step: float) -> float:
    """The lowest stock above this that the item's unit allows."""
    return (float(np.floor(round(units / step, 6))) + 1.0) * step


def _withheld(evidence: Evidence, columns: Columns, levels: Levels, lots: Lots, row: int) -> Withheld:
    position, reorder_point = decimal_of(float(levels.position[row])), decimal_of(float(levels.reorder_point[row]))
    on_order = decimal_of(float(columns.on_order[row]))
    thresholds = Thresholds(below=decimal_of(float(levels.reorder_point[row]) - float(columns.on_order[row])))
    field = None
    if lots.unlimited[row] > 0:
        reason, says = _rationed(evidence, decimal_of(float(lots.unlimited[row])))
    elif lots.is_needed[row]:
        smallest, cap = plain(decimal_of(float(lots.smallest[row]))), plain(decimal_of(float(lots.never_cap[row])))
        field = "moq" if columns.moq[row] > columns.pack[row] else "pack"
        reason = "minimum_exceeds_shelf_life"
        sold_in_time = float(lots.never_cap[row] - lots.smallest[row] - columns.on_order[row])
        below = _next_after(sold_in_time, float(columns.step[row]))
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
        on_order=on_order,
        position=position,
        reorder_point=reorder_point,
        order_up_to=decimal_of(float(levels.order_up_to[row])),
        days_of_cover=float(levels.days_of_cover[row]),
        thresholds=thresholds,
    )
