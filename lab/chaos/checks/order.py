"""O: what belongs to one key comes in the order of its versions, and every reader ends where the last writer stopped."""

from collections import defaultdict

from lab.chaos.evidence import Evidence, Violation


def check(evidence: Evidence) -> list[Violation]:
    """Decisions by version, recommendations by what they replace, the seat by offset, the readers' final versions."""
    return [*_decisions(evidence), *_recommendations(evidence), *_seat(evidence), *_final(evidence)]


def _decisions(evidence: Evidence) -> list[Violation]:
    last: dict[tuple[str, str], int] = defaultdict(int)
    seen: set[tuple[str, str]] = set()
    found = []
    for rec in sorted(evidence.records.get("decisions.v1", ()), key=lambda one: (one.partition, one.offset)):
        if rec.id in seen or rec.header("ce_type") != "decision.made.v1":
            continue
        seen.add(rec.id)
        body = rec.body()
        line = (body["tenant"], body["line_id"])
        if body["version"] <= last[line]:
            found.append(Violation("O", "order", f"line {line[1]}: version {body['version']} after {last[line]}"))
        last[line] = max(last[line], body["version"])
    return found


def _recommendations(evidence: Evidence) -> list[Violation]:
    """A recommendation that replaces another of its line comes after it."""
    seen: set[str] = set()
    found = []
    for rec in sorted(evidence.records.get("recommendations.v1", ()), key=lambda one: (one.partition, one.offset)):
        if rec.header("ce_type") != "recommendation.issued.v1":
            continue
        body = rec.body()
        replaced = body.get("supersedes")
        if replaced is not None and replaced not in seen:
            found.append(
                Violation("O", "order", f"{body['recommendation_id']} replaces {replaced}, which comes later or never")
            )
        seen.add(body["recommendation_id"])
    return found


def _seat(evidence: Evidence) -> list[Violation]:
    """Within one life of the seat's consumer offsets rise; it begins anew after a fault."""
    last, found = -1, []
    for op in evidence.history:
        if op.process != "erp" or op.f != "see":
            continue
        if op.type != "ok":
            last = -1
            continue
        if op.value["offset"] <= last:
            found.append(Violation("O", "order", f"the ERP saw offset {op.value['offset']} after {last}"))
        last = op.value["offset"]
    return found


def _final(evidence: Evidence) -> list[Violation]:
    """The approvals service and the gateway's read model stand at the newest version of each line."""
    newest: dict[tuple[str, str], int] = defaultdict(int)
    for body in evidence.decisions():
        line = (body["tenant"], body["line_id"])
        newest[line] = max(newest[line], body["version"])
    found = []
    for table in ("approvals.lines", "gateway.lines"):
        for row in evidence.rows(table):
            line = (row["tenant"], row["line_id"])
            if row["version"] != newest[line]:
                found.append(
                    Violation(
                        "O", "behind", f"{table} has line {line[1]} at {row['version']}, the topic at {newest[line]}"
                    )
                )
    return found
