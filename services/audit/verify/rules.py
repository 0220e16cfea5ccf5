"""Completeness and the business's own rules, from what the log says: one pass to collect, one to judge."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from services.audit.verify.findings import Broken

# Verdicts after which a line may be ordered, if the signatures its value needs are there.
_APPROVING = frozenset({"approved", "approved_by_rule", "amended"})
_NEEDS_RECOMMENDATION = _APPROVING | {"first_signature"}
# Verdicts that take signatures given before away.
_CLEARING = frozenset({"undone", "superseded", "recalled", "rejected", "expired"})


def _decimal(text: Any) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


@dataclass(frozen=True, slots=True)
class _Decision:
    seq: int
    recommendation_id: str
    version: int
    verdict: str
    by: str
    quantity: Decimal | None
    value: Decimal | None
    limits: dict[str, Decimal | None]

    def is_above(self, limit: str) -> bool:
        bound = self.limits.get(limit)
        return bound is not None and self.value is not None and self.value > bound


class Rules:
    """Feed every entry with its payload; `judge` raises the first break in order of seq."""

    def __init__(self) -> None:
        self._recommended: set[str] = set()
        self._decisions: dict[str, _Decision] = {}
        self._lines: dict[str, list[_Decision]] = defaultdict(list)
        self._orders: dict[str, tuple[int, dict[str, Any] | None]] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._breaks: list[Broken] = []
        self.batched_records = 0
        self.unresolved = 0

    @property
    def decisions(self) -> int:
        return len(self._decisions)

    @property
    def orders(self) -> int:
        return len(self._orders)

    def see(self, entry: dict[str, Any], payload: dict[str, Any] | None) -> None:
        """Take in one entry. Raises Broken for what is wrong by itself, whatever comes later."""
        kind = entry["type"]
        if kind == "audit.batch.v1":
            self._see_batch(entry)
        elif kind == "recommendation.issued.v1":
            self._recommended.add(str(entry.get("recommendation_id")))
        elif kind == "decision.made.v1":
            self._see_decision(entry)
        elif kind == "order.released.v1":
            order_id = str(entry.get("order_id"))
            if order_id in self._orders:
                raise Broken(
                    "order_twice",
                    f"order {order_id} was released before, at entry {self._orders[order_id][0]}",
                    entry["seq"],
                )
            self._orders[order_id] = (entry["seq"], payload)

    def _see_batch(self, entry: dict[str, Any]) -> None:
        place = (str(entry.get("topic")), entry.get("partition", -1))
        first, last, count = (entry.get(name, -1) for name in ("first_offset", "last_offset", "count"))
        if not 0 <= first <= last or not 1 <= count <= last - first + 1:
            raise Broken("batch_malformed", f"offsets {first} to {last} cannot hold {count} records", entry["seq"])
        if first <= self._reached.get(place, -1):
            raise Broken(
                "batch_overlaps",
                f"offset {first} of {place[0]}/{place[1]} is in an earlier batch already",
                entry["seq"],
            )
        self._reached[place] = last
        self.batched_records += count

    def _see_decision(self, entry: dict[str, Any]) -> None:
        decision_id, version = str(entry.get("decision_id")), entry.get("version")
        if decision_id in self._decisions or not isinstance(version, int):
            raise Broken(
                "decision_twice", f"decision {decision_id} is in the log twice, or has no version", entry["seq"]
            )
        decision = _Decision(
            seq=entry["seq"],
            recommendation_id=str(entry.get("recommendation_id")),
            version=version,
            verdict=str(entry.get("verdict")),
            by=str(entry["actor"]["sub"]),
            quantity=_decimal(entry.get("quantity")),
            value=_decimal(entry.get("value")),
            limits={
                name.removeprefix("limit_"): _decimal(text) for name, text in entry.items() if name.startswith("limit_")
            },
        )
        self._decisions[decision_id] = decision
        self._lines[str(entry.get("line_id"))].append(decision)

    def judge(self, settled_size: int) -> None:
        """Raise the first break. A reference from an entry below `settled_size` must have resolved; a later one may be
        on its way, and is counted as unresolved."""
        for line_id, decisions in self._lines.items():
            self._judge_line(line_id, sorted(decisions, key=lambda one: one.version), settled_size)
        for decision in self._decisions.values():
            if decision.verdict in _NEEDS_RECOMMENDATION and decision.recommendation_id not in self._recommended:
                self._miss(
                    Broken(
                        "decided_without_recommendation",
                        f"{decision.verdict} {decision.recommendation_id}, which was never recommended",
                        decision.seq,
                    ),
                    settled_size,
                )
        for order_id, (seq, body) in self._orders.items():
            self._judge_order(order_id, seq, body, settled_size)
        if self._breaks:
            raise min(self._breaks, key=lambda one: -1 if one.seq is None else one.seq)

    def _miss(self, broken: Broken, settled_size: int) -> None:
        if broken.seq is not None and broken.seq >= settled_size:
            self.unresolved += 1
        else:
            self._breaks.append(broken)

    def _judge_line(self, line_id: str, decisions: list[_Decision], settled_size: int) -> None:
        """Versions count 1, 2, 3 without a gap; above the limit two persons sign, and nobody signs their own change."""
        first_signer: str | None = None
        amender: str | None = None
        for expected, one in enumerate(decisions, 1):
            if one.version != expected:
                code, what = (
                    ("version_twice", "is there twice")
                    if one.version < expected
                    else ("decision_missing", "is missing")
                )
                missing = min(one.version, expected)
                self._miss(Broken(code, f"version {missing} of line {line_id} {what}", one.seq), settled_size)
                return
            if one.verdict == "approved_by_rule" and one.is_above("rule_value_limit"):
                self._breaks.append(
                    Broken("rule_above_limit", f"line {line_id} was approved by rule above the rule's limit", one.seq)
                )
            if one.verdict == "approved" and one.is_above("second_signature_above"):
                if first_signer is None:
                    self._breaks.append(
                        Broken("one_signature", f"line {line_id} needed two signatures and has one", one.seq)
                    )
                elif one.by == amender:
                    self._breaks.append(
                        Broken(
                            "own_amendment_approved", f"{one.by} approved their own change of line {line_id}", one.seq
                        )
                    )
                elif one.by == first_signer:
                    self._breaks.append(
                        Broken("same_signer", f"{one.by} gave both signatures on line {line_id}", one.seq)
                    )
            if one.verdict == "first_signature":
                first_signer, amender = one.by, None
            elif one.verdict == "amended":
                first_signer = amender = one.by
            elif one.verdict in _CLEARING:
                first_signer = amender = None

    def _judge_order(self, order_id: str, seq: int, body: dict[str, Any] | None, settled_size: int) -> None:
        if body is None:
            self._breaks.append(
                Broken("order_unreadable", f"order {order_id} cannot be checked: its content is not in the export", seq)
            )
            return
        for line in body.get("lines", ()):
            decision = self._decisions.get(str(line.get("decision_id")))
            where = f"order {order_id}, line {line.get('line_no')}"
            if decision is None:
                self._miss(
                    Broken("ordered_without_decision", f"{where}: its decision is not in the log", seq), settled_size
                )
            elif decision.verdict not in _APPROVING or (
                decision.verdict == "amended" and decision.is_above("second_signature_above")
            ):
                self._breaks.append(
                    Broken(
                        "ordered_without_approval",
                        f"{where}: entry {decision.seq} ({decision.verdict}) does not approve it",
                        seq,
                    )
                )
            elif decision.recommendation_id != str(line.get("recommendation_id")):
                self._breaks.append(
                    Broken(
                        "ordered_other_recommendation",
                        f"{where}: entry {decision.seq} approves another recommendation",
                        seq,
                    )
                )
            elif decision.quantity != _decimal(line.get("quantity")):
                self._breaks.append(
                    Broken(
                        "ordered_other_quantity",
                        f"{where}: {line.get('quantity')} ordered, entry {decision.seq} approves {decision.quantity}",
                        seq,
                    )
                )
