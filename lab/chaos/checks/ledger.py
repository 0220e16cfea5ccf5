"""L: the ledger of movements holds exactly the events of the sales and stock topics, each once."""

from collections import Counter

from lab.chaos.evidence import Evidence, Violation

CLOSE = "business-day.closed.v1"


def check(evidence: Evidence) -> list[Violation]:
    """Lost, doubled and invented movements, by tenant and event."""
    told = {
        (rec.header("ce_tenant"), rec.hash): rec
        for rec in evidence.good("sales.v1", "stock.v1")
        if rec.header("ce_type") != CLOSE
    }
    booked = Counter((row["tenant"], row["event_hash"].bytes) for row in evidence.rows("policy.ledger"))
    found = []
    for place, rec in told.items():
        if booked[place] == 0:
            found.append(Violation("L", "lost", f"{rec.header('ce_type')} {rec.id} of {place[0]} is not in the ledger"))
        elif booked[place] > 1:
            found.append(Violation("L", "doubled", f"{rec.id} of {place[0]} is in the ledger {booked[place]} times"))
    for place in booked.keys() - told.keys():
        found.append(Violation("L", "invented", f"the ledger of {place[0]} holds {place[1].hex()}, which nobody told"))
    return found
