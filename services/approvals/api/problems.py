"""From a refusal of the rules to the problem document a caller reads."""

from kit.http import Problem
from services.approvals.api.bodies import line_document
from services.approvals.domain.line import Line
from services.approvals.domain.refusals import Refusal

# Who asks is wrong: 403. The moment is wrong: 409. What is asked is wrong: 422, everything else.
FORBIDDEN = frozenset({"role_missing", "role_excluded", "approver_needed", "not_covered", "delegation_over"})
CONFLICT = frozenset(
    {"own_amendment", "same_signer", "delegate_of_signer", "already_decided", "not_possible", "undo_window_over"}
)


def of_refusal(refusal: Refusal) -> Problem:
    """The refusal as a problem; a wrong field is named, with the nearest legal value where there is one."""
    status = 403 if refusal.code in FORBIDDEN else 409 if refusal.code in CONFLICT else 422
    error = {"field": refusal.field, "reason": refusal.says} if refusal.field else None
    if error and refusal.nearest_legal:
        error["nearest_legal"] = refusal.nearest_legal
    return Problem(status, refusal.code, "This is not possible", refusal.says, errors=[error] if error else [])


def line_not_found(line_id: str) -> Problem:
    """No such line, or not one of this tenant's: the same answer, so that nothing is given away."""
    return Problem(404, "line_not_found", "No such line", f"There is no line or recommendation {line_id[:64]!r}.")


def stale(line: Line, asked: str) -> Problem:
    """Somebody or something was faster; the caller gets who, when, what, and the line as it is now."""
    if line.last is not None:
        what = f"{line.last.by}: {line.last.verdict.replace('_', ' ')} at {line.last.at:%Y-%m-%d %H:%M:%S} UTC"
    else:
        what = "a newer recommendation took its place"
    return Problem(
        412,
        "stale",
        "The line changed since you looked",
        f"You decided on {asked}, it is at version {line.version} now ({what}). Look at it again.",
        current=line_document(line),
    )
