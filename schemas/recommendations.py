"""What the policy service recommends, with everything it was computed from; or why it recommends nothing."""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from schemas.base import (
    Code,
    Currency,
    Instant,
    Message,
    Money,
    NaturalQuantity,
    Part,
    PositiveQuantity,
    Quantity,
    Ratio,
    Reason,
    SignedMoney,
    Text,
)
from schemas.demand import ItemMessage

Action = Literal["buy", "transfer", "allocate", "expedite", "defer", "reduce", "cancel", "substitute"]
RouteReason = Literal[
    "value_above_limit",
    "low_confidence",
    "forecast_anomaly",
    "constrained_supply",
    "substitution",
    "gmroi_below_threshold",
    "service_below_minimum",
    "customer_commitment_at_risk",
    "supplier_exception",
    "scenario_active",
    "new_item",
    "policy_exception",
]


class Step(Part):
    """One step of the derivation. `inputs` and `result` are decimal strings, dates or codes; `says` is the sentence a
    person reads, and holds no number that is not in `inputs` or `result`."""

    code: Reason
    says: Annotated[str, Field(min_length=1, max_length=400)]
    inputs: dict[str, str]
    result: str
    unit: str = ""
    binding: bool = False


class Projection(Part):
    """Expected stock on hand at the end of each day from the day after `origin`, without and with this order."""

    origin: date
    without_order: tuple[NaturalQuantity, ...]
    with_order: tuple[NaturalQuantity, ...]


class RecommendationIssued(ItemMessage):
    """Do this. `line_id` stays the same while a fresher recommendation supersedes an older one of the same need;
    `recommendation_id` names this version.

    `buy` is the item's own order. Every other action is a line beside it, with a `line_id` of its own. For expedite, defer and
    reduce, `quantity` and `arrive_on` are what is still to come of the order `changes_order` after the change; for cancel,
    what is taken away. `money_at_risk` is then what the change saves. For a transfer, `from_location` sends to `location`.
    A substitute is bought in place of the product `stands_in_for`; `money_at_risk` is what that earns net.
    What is bought counts for `order_on` until `order_until` (absent: all day); after it, `next_order_on` and `next_arrive_on` hold.
    """

    TYPE: ClassVar[str] = "recommendation.issued.v1"
    recommendation_id: Code
    line_id: Code
    supersedes: Code | None = None
    run_id: Code | None = None
    action: Action
    origin: date
    quantity: PositiveQuantity
    unit: Code
    supplier: Code | None = None
    from_location: Code | None = None
    changes_order: Code | None = None
    stands_in_for: Code | None = None
    unit_cost: Money
    value: Money
    currency: Currency
    order_on: date
    arrive_on: date
    order_until: Instant | None = None
    next_order_on: date | None = None
    next_arrive_on: date | None = None
    moq: NaturalQuantity | None = None
    pack: PositiveQuantity | None = None
    on_hand: Quantity
    on_order: Quantity
    reserved: Quantity
    inventory_position: Quantity
    days_of_cover: Annotated[float, Field(ge=0)] | None = None
    stockout_on: date | None = None
    stockout_probability: Ratio
    reorder_point: NaturalQuantity
    order_up_to: NaturalQuantity
    money_at_risk: Money
    gmroi: Annotated[float, Field()] | None = None
    confidence: Ratio
    approved_by_rule: bool
    route_reasons: tuple[RouteReason, ...] = ()
    excess_from_rounding: NaturalQuantity
    excess_cost: Money
    steps: tuple[Step, ...]
    explanation: str
    projection: Projection
    policy_version: Annotated[int, Field(ge=1)]
    forecast_id: Code
    code_version: Code
    evidence: dict[str, Any]
    evidence_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RecommendationWithheld(ItemMessage):
    """No order for this item, and why. It also closes an open recommendation of the item (`supersedes`).

    With `line_id` it is about a line beside the item's own order, which ends; it says nothing of the item then."""

    TYPE: ClassVar[str] = "recommendation.withheld.v1"
    recommendation_id: Code
    line_id: Code | None = None
    supersedes: Code | None = None
    run_id: Code | None = None
    origin: date | None
    reason: Reason
    says: Annotated[str, Field(min_length=1, max_length=400)]
    field: Code | None = None
    on_hand: Quantity | None = None
    on_order: Quantity | None = None
    inventory_position: Quantity | None = None
    reorder_point: NaturalQuantity | None = None
    days_of_cover: Annotated[float, Field(ge=0)] | None = None
    forecast_id: Code | None = None
    policy_version: Annotated[int, Field(ge=1)] | None = None
    evidence_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class ExceptionRaised(Message):
    """Something a person has to look at. One subject and kind is one open exception, however often it is seen.
    `money_at_stake` is in `currency`."""

    TYPE: ClassVar[str] = "exception.raised.v1"
    exception_id: Code
    kind: Literal[
        "stockout_risk",
        "overstock",
        "anomaly",
        "unresolved_identity",
        "supplier_late",
        "supplier_short",
        "supplier_price",
        "missing_master_data",
        "audit_conflict",
        "model_drift",
    ]
    subject: Text
    sku: Code | None = None
    location: Code | None = None
    supplier: Code | None = None
    says: Annotated[str, Field(min_length=1, max_length=400)]
    remedy: Annotated[str, Field(min_length=1, max_length=400)]
    money_at_stake: Money | None = None
    currency: Currency | None = None
    owner: Code = "planner"
    raised_on: date
    details: dict[str, Any] = {}

    def record_key(self) -> str:
        return f"{self.tenant}/{self.subject}"


class ExceptionResolved(Message):
    """The exception needs nobody any more."""

    TYPE: ClassVar[str] = "exception.resolved.v1"
    exception_id: Code
    subject: Text
    resolved_on: date
    says: Annotated[str, Field(min_length=1, max_length=400)]

    def record_key(self) -> str:
        return f"{self.tenant}/{self.subject}"


class HeldEventSettled(Message):
    """A person has settled an event that could not be handled: replayed it, or taken it out, with the reason.

    `consumer` is the service that held it; `topic`, `partition` and `offset` are where it lies, its bytes with it.
    """

    TYPE: ClassVar[str] = "held-event.settled.v1"
    consumer: Code
    held_as: Literal["dead_letter", "parked"]
    action: Literal["replayed", "dropped"]
    topic: Code
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    event_id: Annotated[str, Field(max_length=400)] = ""
    code: Annotated[str, Field(max_length=100)] = ""
    settled_by: Code
    settled_at: Instant
    reason: Text

    def record_key(self) -> str:
        return f"{self.tenant}/held:{self.topic}"


class PolicyPublished(Message):
    """A version of the policy parameters of a tenant's scope: decimal strings, codes or lists of them."""

    TYPE: ClassVar[str] = "policy.published.v1"
    scope: Code
    version: Annotated[int, Field(ge=1)]
    valid_from: date
    parameters: dict[str, Any]
    published_by: Code
    reason: Text

    def record_key(self) -> str:
        return f"{self.tenant}/{self.scope}"


__all__ = [
    "Action",
    "ExceptionRaised",
    "ExceptionResolved",
    "PolicyPublished",
    "Projection",
    "RecommendationIssued",
    "RecommendationWithheld",
    "RouteReason",
    "SignedMoney",
    "Step",
]
