"""M: the steps of a line are numbered without a gap, each follows from the one before, and each version is decided once."""

from collections import defaultdict
from typing import Any

from lab.chaos.evidence import Evidence, Violation

OPEN, FIRST, SNOOZED, HELD, REJECTED, OVER = "open", "first signature", "snoozed", "approved", "rejected", "over"
WAITING = frozenset({OPEN, FIRST, SNOOZED})
# verdict -> (states it may follow, state it leads to; None: stays). A new recommendation begins a line that is over anew.
STEPS: dict[str, tuple[frozenset[str], str | None]] = {
    "approved_by_rule": (frozenset({OPEN}), HELD),
    "approved": (WAITING, HELD),
    "first_signature": (frozenset({OPEN, SNOOZED}), FIRST),
    "amended": (WAITING, HELD),
    "rejected": (WAITING, REJECTED),
    "snoozed": (WAITING, SNOOZED),
    "returned": (frozenset({SNOOZED}), OPEN),
    "escalated": (WAITING, None),
    "superseded": (WAITING, OPEN),
    "expired": (WAITING, OVER),
    "undone": (frozenset({HELD, FIRST, SNOOZED, REJECTED}), OPEN),
    "recalled": (frozenset({HELD}), OVER),
}


def check(evidence: Evidence) -> list[Violation]:
    """Every line's decisions as published and as stored, and what the planners were told."""
    by_line: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for body in evidence.decisions():
        by_line[body["tenant"], body["line_id"]].append(body)
    found: list[Violation] = []
    for (_tenant, line), steps in by_line.items():
        steps.sort(key=lambda one: int(one["version"]))
        versions = [one["version"] for one in steps]
        if versions != list(range(1, len(versions) + 1)):
            found.append(Violation("M", "gap or double", f"line {line} has versions {versions}"))
        found += _walk(line, steps)
    published = {(body["tenant"], body["decision_id"]) for steps in by_line.values() for body in steps}
    stored = {(row["tenant"], row["decision_id"]) for row in evidence.rows("approvals.decisions")}
    found += [Violation("M", "lost", f"decision {one} is stored and not published") for _, one in stored - published]
    found += [
        Violation("M", "invented", f"decision {one} is published and not stored") for _, one in published - stored
    ]
    return found + _told_twice(evidence)


def _walk(line: str, steps: list[dict[str, Any]]) -> list[Violation]:
    state, last = OPEN, ""
    found = []
    for step in steps:
        verdict, recommendation = step["verdict"], step["recommendation_id"]
        begins_anew = (
            recommendation != last and state in (HELD, REJECTED, OVER) and verdict not in ("undone", "recalled")
        )
        if begins_anew and verdict in ("superseded", "expired"):
            continue  # a recommendation that came too late for a line that is decided: told, and changes nothing
        if begins_anew:
            state = OPEN
        allowed, leads_to = STEPS[verdict]
        if state not in allowed:
            found.append(
                Violation("M", "illegal", f"line {line} was {state} and then {verdict} (version {step['version']})")
            )
        state, last = leads_to or state, recommendation
    return found


def _told_twice(evidence: Evidence) -> list[Violation]:
    """Two persons cannot both have been told yes about the same version of the same recommendation."""
    winners: dict[tuple[str, int], set[str]] = defaultdict(set)
    for op in evidence.history:
        if op.f == "decide" and op.type == "ok":
            value = op.value
            winners[value["recommendation_id"], value["version"]].add(f"{op.process}:{value['verdict']}")
    return [
        Violation("M", "decided twice", f"version {version} of {one}: {sorted(all_)}")
        for (one, version), all_ in winners.items()
        if len(all_) > 1
    ]
