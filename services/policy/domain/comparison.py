"""Two plans of the same items beside each other: what other rules, or a signal that is left out, would change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from services.policy.domain.cascade import plan
from services.policy.domain.evidence import Evidence, Policy
from services.policy.domain.numbers import plain
from services.policy.domain.outcome import Outcome, Recommendation

ZERO = Decimal(0)
EXAMPLES_MAX = 50


@dataclass(frozen=True, slots=True)
class Side:
    """What a plan says about one item; no order is a quantity of 0 with the reason."""

    quantity: Decimal
    value: Decimal
    goes_to_person: bool
    reason: str | None

    @staticmethod
    def of(outcome: Outcome) -> "Side":
        """The side of an outcome of the cascade."""
        if not isinstance(outcome, Recommendation):
            return Side(ZERO, ZERO, False, outcome.reason)
        return Side(outcome.quantity, outcome.value, not outcome.said["approved_by_rule"], None)

    @property
    def is_order(self) -> bool:
        """Whether anything is to be ordered."""
        return self.quantity > 0

    def as_text(self) -> dict[str, Any]:
        """As callers see it."""
        return {
            "quantity": plain(self.quantity),
            "value": plain(self.value),
            "goes_to_person": self.goes_to_person,
            "reason": self.reason,
        }


def under(evidences: Sequence[Evidence], policy: Policy) -> list[Evidence]:
    """The same items as other rules would have them."""
    return [replace(one, policy=policy) for one in evidences]


def without(evidences: Sequence[Evidence], signal_id: str) -> list[Evidence]:
    """The same items as if nobody had told of this signal."""
    return [
        replace(one, signals=tuple(signal for signal in one.signals if signal.signal_id != signal_id))
        for one in evidences
    ]


def compare(before: Sequence[Evidence], after: Sequence[Evidence]) -> dict[str, Any]:
    """Both planned by the one cascade: totals of each side, and how many items change how, those of most money first."""
    pairs = [(Side.of(one), Side.of(other)) for one, other in zip(plan(before), plan(after), strict=True)]
    changed = [
        (abs(then.value - now.value), one, now, then)
        for one, (now, then) in zip(before, pairs, strict=True)
        if (now.quantity, now.value, now.goes_to_person) != (then.quantity, then.value, then.goes_to_person)
    ]
    changed.sort(key=lambda entry: (-entry[0], entry[1].sku, entry[1].location))
    currencies = sorted({one.terms.currency for one in before if one.terms is not None and one.terms.currency})
    return {
        "items": len(before),
        "before": _totals([now for now, _ in pairs]),
        "after": _totals([then for _, then in pairs]),
        "more": sum(now.is_order and then.quantity > now.quantity for now, then in pairs),
        "less": sum(then.is_order and now.quantity > then.quantity for now, then in pairs),
        "added": sum(then.is_order and not now.is_order for now, then in pairs),
        "dropped": sum(now.is_order and not then.is_order for now, then in pairs),
        "rerouted": sum(
            now.is_order and then.is_order and now.goes_to_person != then.goes_to_person for now, then in pairs
        ),
        "currency": currencies[0] if len(currencies) == 1 else None,
        "changed": [
            {"sku": one.sku, "location": one.location, "before": now.as_text(), "after": then.as_text()}
            for _, one, now, then in changed[:EXAMPLES_MAX]
        ],
    }


def _totals(sides: Sequence[Side]) -> dict[str, Any]:
    return {
        "orders": sum(one.is_order for one in sides),
        "value": plain(sum((one.value for one in sides), ZERO)),
        "to_persons": sum(one.goes_to_person for one in sides),
    }
