"""D: whatever a client was told has happened is there: an accepted event on its topic, a decision among the decisions."""

from kernel.ids import derived_id
from lab.chaos.evidence import Evidence, Violation
from lab.chaos.history import acknowledged
from schemas.topics import SALES


def check(evidence: Evidence) -> list[Violation]:
    """Acknowledged events and decisions that are not there."""
    there = {
        rec.id for topic in ("sales.v1", "stock.v1", "order-updates.v1") for rec in evidence.records.get(topic, ())
    }
    found = []
    for op in acknowledged(evidence.history, "record"):
        for source, identity in op.value:
            # A close is written once to every partition, under ids that follow from its own (schemas/demand.py).
            parts = {(source, derived_id("close", source, identity, str(number))) for number in range(SALES.partitions)}
            if (source, identity) not in there and not parts <= there:
                found.append(Violation("D", "lost", f"{op.process} was told that ({source}, {identity}) is taken"))
    decided = {(body["recommendation_id"], body["version"]) for body in evidence.decisions()}
    for op in acknowledged(evidence.history, "decide"):
        # The version a person saw is the number of steps so far; theirs is the next.
        if (op.value["recommendation_id"], op.value["version"] + 1) not in decided:
            found.append(
                Violation("D", "lost", f"{op.process} was told that {op.value['recommendation_id']} is decided")
            )
    return found
