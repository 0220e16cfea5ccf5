"""S: a position is the last count and what happened after it; daily demand is what was sold less what was voided.

Both are computed here from the records, in any order, without a service's arithmetic.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from lab.chaos.evidence import Evidence, Rec, Violation

Item = tuple[str, str, str]
# kind of movement -> effect of one unit on (on hand, reserved, backorders); from the contract in schemas/demand.py
EFFECTS = {
    "receipt": (1, 0, 0),
    "shipment": (-1, 0, 0),
    "transfer_out": (-1, 0, 0),
    "transfer_in": (1, 0, 0),
    "adjustment": (1, 0, 0),
    "reservation": (0, 1, 0),
    "release": (0, -1, 0),
    "backorder": (0, 0, 1),
}


def check(evidence: Evidence) -> list[Violation]:
    """Positions against the ledger and against the events; demand against the events."""
    events = list(evidence.good("sales.v1", "stock.v1"))
    found = _against(evidence, positions_of(events), "the events")
    sums: dict[Item, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for row in evidence.rows("policy.ledger"):
        effect = (row["on_hand"], row["reserved"], row["backorders"])
        item = (row["tenant"], row["sku"], row["location"])
        sums[item] = [old + new for old, new in zip(sums[item], effect, strict=True)]
    found += _against(evidence, {item: tuple(values) for item, values in sums.items()}, "its ledger")
    return found + _demand(evidence, events)


def positions_of(events: Iterable[Rec]) -> dict[Item, tuple[Decimal, ...]]:
    """(on hand, reserved, backorders) of every item. What happened up to a count has no effect on hand: it was counted."""
    moves: dict[Item, list[tuple[datetime, tuple[Decimal, ...]]]] = defaultdict(list)
    counts: dict[Item, tuple[datetime, Decimal]] = {}
    for rec in events:
        kind, body = rec.header("ce_type"), rec.body()
        if "sku" not in body:
            continue
        item, quantity = (body["tenant"], body["sku"], body["location"]), Decimal(body["quantity"])
        if kind == "stock.counted.v1":
            when = _moment(body["counted_at"])
            if item not in counts or when > counts[item][0]:
                counts[item] = (when, quantity)
            moves[item] += []
            continue
        when, effect = _effect(kind, body)
        moves[item].append((when, tuple(quantity * sign for sign in effect)))
    found = {}
    for item, mine in moves.items():
        counted_at, on_hand = counts.get(item, (None, Decimal(0)))
        on_hand += sum((effect[0] for when, effect in mine if counted_at is None or when > counted_at), Decimal(0))
        rest = [sum((effect[place] for _, effect in mine), Decimal(0)) for place in (1, 2)]
        found[item] = (on_hand, *rest)
    return found


def _effect(kind: str, body: dict[str, object]) -> tuple[datetime, tuple[int, int, int]]:
    if kind == "sale.recorded.v1":
        return _moment(body["sold_at"]), (-1, 0, 0)
    if kind == "sale.voided.v1":
        return _moment(body["voided_at"]), (1, 0, 0)
    if kind == "return.recorded.v1":
        return _moment(body["returned_at"]), ((1 if body.get("restocked", True) else 0), 0, 0)
    return _moment(body["moved_at"]), EFFECTS[str(body["kind"])]


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _against(evidence: Evidence, expected: dict[Item, tuple[Decimal, ...]], what: str) -> list[Violation]:
    found = []
    held = {
        (row["tenant"], row["sku"], row["location"]): (row["on_hand"], row["reserved"], row["backorders"])
        for row in evidence.rows("policy.positions")
    }
    for item in sorted(expected.keys() | held.keys()):
        if held.get(item) != expected.get(item):
            told, books = _words(expected.get(item)), _words(held.get(item))
            found.append(Violation("S", "wrong", f"position of {'/'.join(item)} is {books}; {what} say {told}"))
    return found


def _words(values: tuple[Decimal, ...] | None) -> str:
    return "missing" if values is None else " / ".join(f"{value:f}" for value in values)


def _demand(evidence: Evidence, events: Iterable[Rec]) -> list[Violation]:
    sold: dict[tuple[str, str, str, str], Decimal] = defaultdict(Decimal)
    for rec in events:
        sign = {"sale.recorded.v1": 1, "sale.voided.v1": -1}.get(rec.header("ce_type"))
        if sign is not None:
            body = rec.body()
            place = (body["tenant"], body["sku"], body["location"], body["business_date"])
            sold[place] += sign * Decimal(body["quantity"])
    kept = {
        (row["tenant"], row["sku"], row["location"], str(row["business_date"])): row["quantity"]
        for row in evidence.rows("forecaster.daily_demand")
    }
    return [
        Violation(
            "S", "wrong", f"demand of {'/'.join(place)} is {kept.get(place, 0)}; the events say {sold.get(place, 0)}"
        )
        for place in sorted(sold.keys() | kept.keys())
        if kept.get(place, Decimal(0)) != sold.get(place, Decimal(0))
    ]
