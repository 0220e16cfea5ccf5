"""What a line proposed at a past moment, and what had been decided about it: from its versions and its decisions by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.decisions import APPROVALS

NO_VERDICT = "escalated"  # it counts as a step of the line, but decides nothing


@dataclass(frozen=True, slots=True)
class Version:
    """A recommendation of a line, and when it came."""

    recommendation_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a line; `released_at`: when the order it allowed went out, if it did."""

    decision_id: str
    recommendation_id: str
    verdict: str
    decided_at: datetime
    released_at: datetime | None = None


def stood(versions: Sequence[Version], decided: Sequence[Decided], at: datetime) -> tuple[str, str | None] | None:
    """(recommendation, newest decision about it) of a line at a moment; None before its first version came.

    `versions` in the order they came, `decided` in the order of their versions. The newest version stands, unless it came
    while an approval of an earlier one was held: then it waits behind that one until the order has gone out.
    """
    known = [one for one in versions if one.received_at <= at]
    if not known:
        return None
    names = {one.recommendation_id for one in known}
    made = [
        one for one in decided if one.decided_at <= at and one.verdict != NO_VERDICT and one.recommendation_id in names
    ]
    newest = known[-1]
    held = next((one for one in reversed(made) if one.recommendation_id != newest.recommendation_id), None)
    is_behind = (
        held is not None
        and made[-1] is held
        and held.verdict in APPROVALS
        and held.decided_at <= newest.received_at
        and (held.released_at is None or held.released_at > at)
    )
    stands = held.recommendation_id if held is not None and is_behind else newest.recommendation_id
    about = next((one.decision_id for one in reversed(made) if one.recommendation_id == stands), None)
    return stands, about
