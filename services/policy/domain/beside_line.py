"""A line beside an item's own order as the recommendation it is published as: the same for every kind of such a line."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from services.policy.domain.line import Line
from services.policy.domain.outcome import Recommendation, Thresholds
from services.policy.domain.projection import texts_of
from services.policy.domain.render import written
from services.policy.domain.steps import Step
from services.policy.domain.wording import beside_steps


def recommended_beside(
    line: Line, action: str, what: Mapping[str, Any], told: Step, expected: NDArray[Any]
) -> Recommendation:
    """`what` is done and for when, `told` why; `expected` stock in units by day, rows: without it, with it.

    No sale moves such a line at once, so it has no thresholds: the next plan of its item looks at it again.
    """
    without_action, with_action = texts_of(expected)
    said = written(line, action, what, beside_steps(line, told), without_action, with_action)
    return Recommendation(
        recommendation_id=said.identity,
        said=said.said,
        parts=said.parts,
        quantity=line.numbers.quantity,
        value=line.amounts.value,
        signature=said.signature,
        reorder_point=line.numbers.reorder_point,
        order_up_to=line.numbers.order_up_to,
        thresholds=Thresholds(),
    )
