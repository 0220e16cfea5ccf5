"""E: every line that was approved and not taken back is on exactly one order, and no order has a line nobody approved."""

from collections import Counter, defaultdict

from lab.chaos.evidence import Evidence, Rec, Violation

ALLOWS = frozenset({"approved", "approved_by_rule", "amended"})
TAKES_BACK = frozenset({"undone"})


def check(evidence: Evidence) -> list[Violation]:
    """Orders against decisions, copies against each other, and the ERP's seat against the topic."""
    found = _copies(evidence)
    allowed = approved(evidence)
    placed: Counter[str] = Counter()
    by_order: dict[str, set[bytes]] = defaultdict(set)
    for rec in _released(evidence):
        body = rec.body()
        by_order[body["order_id"]].add(rec.value or b"")
        for line in body["lines"]:
            placed[line["recommendation_id"]] += 1
            if line["decision_id"] != allowed.get(line["recommendation_id"]):
                what = f"order {body['order_id']} holds {line['recommendation_id']} by decision {line['decision_id']}"
                found.append(
                    Violation("E", "unapproved", f"{what}; approved by {allowed.get(line['recommendation_id'])}")
                )
    for recommendation in allowed:
        if placed[recommendation] == 0:
            found.append(Violation("E", "lost", f"{recommendation} is approved and on no order"))
    found += [Violation("E", "doubled", f"{one} is on {count} orders") for one, count in placed.items() if count > 1]
    found += [
        Violation("E", "doubled", f"order id {one} has two contents")
        for one, values in by_order.items()
        if len(values) > 1
    ]
    return found + _seat(evidence)


def approved(evidence: Evidence) -> dict[str, str]:
    """Recommendation id -> the decision that approves it and was not taken back."""
    allowed: dict[str, str] = {}
    for body in sorted(evidence.decisions(), key=lambda one: (one["line_id"], one["version"])):
        if body["verdict"] in ALLOWS:
            allowed[body["recommendation_id"]] = body["decision_id"]
        elif body["verdict"] in TAKES_BACK:
            allowed.pop(body["recommendation_id"], None)
    return allowed


def copies(evidence: Evidence) -> int:
    """Records of our own topics beyond the first with their id: published again after a crash."""
    return sum(
        len(records) - len({rec.id for rec in records})
        for topic, records in evidence.records.items()
        if topic not in ("sales.v1", "stock.v1", "catalogue.v1", "order-updates.v1", "signals.v1")
    )


def _released(evidence: Evidence) -> list[Rec]:
    return [rec for rec in evidence.good("orders.v1") if rec.header("ce_type") == "order.released.v1"]


def _copies(evidence: Evidence) -> list[Violation]:
    """The same id again must have the same bytes."""
    found = []
    for topic in ("orders.v1", "decisions.v1", "recommendations.v1", "forecasts.v1"):
        values: dict[tuple[str, str], set[bytes]] = defaultdict(set)
        for rec in evidence.records.get(topic, ()):
            values[rec.id].add(rec.value or b"")
        found += [
            Violation("E", "doubled", f"{topic} holds id {one} with two contents")
            for one, all_ in values.items()
            if len(all_) > 1
        ]
    return found


def _seat(evidence: Evidence) -> list[Violation]:
    """What the seat read is what lies on the topic: no order seen that is not there (an aborted one, say), none missed."""
    seen = {
        op.value["order_id"] for op in evidence.history if op.process == "erp" and op.f == "see" and op.type == "ok"
    }
    there = {rec.body()["order_id"] for rec in evidence.records.get("orders.v1", ())}
    found = [
        Violation("E", "aborted read", f"the ERP saw order {one}, which is not on the topic") for one in seen - there
    ]
    return found + [Violation("E", "lost", f"the ERP never saw order {one}") for one in there - seen]
