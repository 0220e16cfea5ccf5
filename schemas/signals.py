"""What may change demand or supply: promotions, price changes, viral events, disruptions, what live sensing sees."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from schemas.base import Code, Instant, Message, Part, Ratio, Text

SignalKind = Literal[
    "promotion",
    "price_change",
    "viral_event",
    "supply_disruption",
    "competitor_out",
    "economic_outlook",
    "holiday_peak",
    "after_holidays",
    "demand_spike",
    "demand_silence",
    "run_rate",
]


class Scope(Part):
    """What a signal is about; an absent part means all of them."""

    sku: Code | None = None
    location: Code | None = None
    category: Text | None = None
    supplier: Code | None = None

    def as_key(self) -> str:
        parts = (
            ("sku", self.sku),
            ("location", self.location),
            ("category", self.category),
            ("supplier", self.supplier),
        )
        return ",".join(f"{name}={value.replace('/', '_')}" for name, value in parts if value) or "all"


class SignalObserved(Message):
    """A signal with its scope, strength (demand multiplier, 1 = none), probability, start and end."""

    TYPE: ClassVar[str] = "signal.observed.v1"
    signal_id: Code
    kind: SignalKind
    scope: Scope
    strength: Annotated[float, Field(ge=0, le=100)]
    probability: Ratio
    starts_at: Instant
    ends_at: Instant
    advisory: bool = True
    details: dict[str, Any] = {}

    def record_key(self) -> str:
        return f"{self.tenant}/{self.scope.as_key()}"
