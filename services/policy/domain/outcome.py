"""What a plan says about one item: do this, or nothing because; and when the item must be looked at again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Available stock (on hand - reserved - backorders, units) at which this outcome may change; None: not by stock."""

    below: Decimal | None = None
    at_or_above: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An order worth proposing. `said` is the message without what only the shell knows (line, run, predecessor) and without
    its `parts`: evidence, steps and projection, as their canonical text. `next_days`: order day and arrival of the opportunity
    after it, for what is bought; `signature` is equal for recommendations between which a person would see no difference to
    decide on.

    The parts are most of a message. As values until it is published they were hundreds of objects for every item of a chunk, gone
    from the processor's cache by the time they were dumped.
    """

    recommendation_id: str
    said: Mapping[str, Any]
    parts: Mapping[str, bytes]
    quantity: Decimal
    value: Decimal
    signature: str
    reorder_point: Decimal
    order_up_to: Decimal
    thresholds: Thresholds
    next_days: tuple[date, date] | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The message as JSON values, its parts read from their text."""
        return {**self.said, **{name: orjson.loads(text) for name, text in self.parts.items()}}

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps of the derivation as JSON values."""
        steps: list[dict[str, Any]] = orjson.loads(self.parts["steps"])
        return steps


@dataclass(frozen=True, slots=True)
class Withheld:
    """No order, and why; `field` names the input to mend. Numbers are None where the cascade did not get that far."""

    reason: str
    says: str
    field: str | None = None
    as_of: date | None = None
    on_order: Decimal | None = None
    position: Decimal | None = None
    reorder_point: Decimal | None = None
    order_up_to: Decimal | None = None
    days_of_cover: float | None = None
    thresholds: Thresholds = Thresholds()


Outcome = Recommendation | Withheld
