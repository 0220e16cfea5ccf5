"""What the forecaster publishes: the distribution of cumulative demand per item, and which model speaks."""

from datetime import date
from operator import gt
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from schemas import packing
from schemas.base import Code, Instant, Message, Part, Quantity, Ratio, Reason, Text
from schemas.demand import ItemMessage

# Node horizons in days and probability levels of every forecast v1. They are part of the contract, so that an event
# carries only numbers (under 1 kB); between nodes `kernel.distribution` interpolates, the same way for everyone.
HORIZONS_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 56)
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
DAYS = HORIZONS_DAYS[-1]


class DemandDistribution(Part):
    """Demand from the day after `origin` on.

    `mean_e4`: expected demand of each of the next 56 days, in ten-thousandths of a stocking unit.
    `quantiles_e2`: for each node horizon, quantiles of the demand *cumulated* from day 1 to that horizon at each level,
    in hundredths of a unit. Non-decreasing along levels and along horizons. Integers: quantities are never floats.
    """

    mean_e4: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=DAYS, max_length=DAYS)]
    quantiles_e2: Annotated[
        tuple[tuple[int, ...], ...], Field(min_length=len(HORIZONS_DAYS), max_length=len(HORIZONS_DAYS))
    ]

    @model_validator(mode="after")
    def _is_monotone(self) -> "DemandDistribution":
        return self.in_order()

    def in_order(self) -> "DemandDistribution":
        """Itself. Raises ValueError where quantiles are negative or fall along levels or horizons."""
        below: tuple[int, ...] = (0,) * len(LEVELS)
        for days, row in zip(HORIZONS_DAYS, self.quantiles_e2, strict=True):
            if len(row) != len(LEVELS):
                raise ValueError(f"quantiles_e2 at {days} days has {len(row)} levels, needs {len(LEVELS)}")
            if row[0] < 0 or any(map(gt, row, row[1:])):
                raise ValueError(f"quantiles_e2 at {days} days are negative or not in order")
            if any(map(gt, below, row)):
                raise ValueError(f"quantiles_e2 at {days} days are below those of a shorter horizon")
            below = row
        return self


def _as_written(value: object) -> object:
    """What a reader will have: the numbers of a text, and of numbers those that their text holds."""
    if isinstance(value, DemandDistribution):
        text = _packed(value)
        return value if packing.is_exact(text) else _unpacked(text)
    return _unpacked(value) if isinstance(value, str) else value  # else numbers as `forecast.issued.v1` has them


def _unpacked(text: str) -> DemandDistribution:
    means, quantiles = packing.unpack(text, DAYS, len(HORIZONS_DAYS), len(LEVELS))
    if min(means) < 0:
        raise ValueError("a mean of demand is below zero")
    # They are integers by the way they are written, which makes this twice as fast as asking of each.
    made = DemandDistribution.model_construct(mean_e4=means, quantiles_e2=quantiles)
    return made.in_order()


def _packed(demand: DemandDistribution) -> str:
    return packing.pack(demand.mean_e4, demand.quantiles_e2)


class ForecastIssued(ItemMessage):
    """The forecast for one item at one origin (the last closed business day it knows)."""

    TYPE: ClassVar[str] = "forecast.issued.v1"
    forecast_id: Code
    origin: date
    strategy: Code
    model_id: Code
    # Days of history the forecast was made from. Left out, it ends at the origin and reaches back as the model's own
    # window does (`model.promoted.v1`), or `history_days` for a strategy without a model.
    window_from: date | None = None
    window_to: date | None = None
    demand: DemandDistribution
    confidence: Ratio
    flags: tuple[Reason, ...] = ()
    revision: Annotated[int, Field(ge=0)] = 0
    # Demand of the last 28 known days, for readers that show a trend without asking for the history.
    recent_demand: Quantity | None = None
    # Overrides by people that changed this forecast, oldest first; empty: it is what the model says.
    override_ids: tuple[Code, ...] = ()

    def wire(self) -> bytes:
        """A retailer's night is a hundred thousand of these, so whatever says no more than its default is left out."""
        return self.model_dump_json(exclude_defaults=True).encode()


class ForecastIssuedV2(ForecastIssued):
    """As `forecast.issued.v1`, with the distribution as a text: half the bytes, and under a kilobyte for items that sell
    thousands a day. In a program both are the same; the text's format is described in `schemas/packing.py`.
    """

    TYPE: ClassVar[str] = "forecast.issued.v2"
    demand: Annotated[
        DemandDistribution,
        BeforeValidator(_as_written),
        PlainSerializer(_packed, return_type=str, when_used="json"),
        WithJsonSchema(
            {
                "type": "string",
                "contentEncoding": "base64",
                "maxLength": packing.TEXT_MAX,
                "description": " ".join((packing.__doc__ or "").split()),
            }
        ),
    ]


class ForecastOverrideSet(Message):
    """A person changed the forecast of a period: `units` for the whole period over all items of the scope.

    Absent parts of the scope mean all of them. No forecast from an origin on or after `expires_on` uses it.
    """

    TYPE: ClassVar[str] = "forecast-override.set.v1"
    override_id: Code
    kind: Literal["add", "replace"]
    sku: Code | None = None
    location: Code | None = None
    category: Text | None = None
    from_on: date
    to_on: date
    units: Quantity
    reason: Reason
    note: Text | None = None
    expires_on: date
    set_by: Code
    set_at: Instant

    def record_key(self) -> str:
        return f"{self.tenant}/override/{self.override_id}"


class ForecastOverrideWithdrawn(Message):
    """A person took an override back; the next forecasts are the model's own again."""

    TYPE: ClassVar[str] = "forecast-override.withdrawn.v1"
    override_id: Code
    withdrawn_by: Code
    withdrawn_at: Instant

    def record_key(self) -> str:
        return f"{self.tenant}/override/{self.override_id}"


class StrategyPinSet(Message):
    """A planner said which strategy forecasts the items of a scope, whatever the back-test chose. Absent parts of the
    scope mean all of them; one that held for the same scope until now is withdrawn."""

    TYPE: ClassVar[str] = "strategy-pin.set.v1"
    pin_id: Code
    strategy: Code
    sku: Code | None = None
    location: Code | None = None
    category: Text | None = None
    abc_class: Code | None = None
    reason: Reason
    note: Text | None = None
    set_by: Code
    set_at: Instant

    def record_key(self) -> str:
        return f"{self.tenant}/pin/{self.pin_id}"


class StrategyPinWithdrawn(Message):
    """A pin no longer holds: the choice by back-test speaks again."""

    TYPE: ClassVar[str] = "strategy-pin.withdrawn.v1"
    pin_id: Code
    withdrawn_by: Code
    withdrawn_at: Instant

    def record_key(self) -> str:
        return f"{self.tenant}/pin/{self.pin_id}"


class ModelPromoted(Message):
    """A model became the champion of its segment."""

    TYPE: ClassVar[str] = "model.promoted.v1"
    model_id: Code
    segment: Code
    strategy: Code
    promoted_at: Instant
    window_from: date
    window_to: date
    artefact_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    metrics: dict[str, float]
    reason: Text

    def record_key(self) -> str:
        return f"{self.tenant}/model/{self.segment}"
