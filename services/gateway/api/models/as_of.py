"""An item as it was at a past moment, each figure with the ids it follows from."""

from typing import Literal

from services.gateway.api.models.base import View


class MovementThen(View):
    """A stock event. `occurred_at`: when it happened; `received_at`: when the policy service first took it, null where that is
    not kept."""

    event_hash: str
    kind: str
    quantity: str
    occurred_at: str
    received_at: str | None
    order_id: str | None


class FigureThen(View):
    """A number, and what it is the sum of: the count it begins with, if there was one, and `movements` since. `event_hashes`: the
    newest of those; the movements route pages through all."""

    quantity: str
    counted: MovementThen | None
    movements: int
    event_hashes: list[str]


class StockThen(View):
    on_hand: FigureThen
    reserved: FigureThen
    backorders: FigureThen


class OpenOrderThen(View):
    """An order that was still to bring (or, with `leaves`, to take) `open` units. `answers`, `changes`, `event_hashes`: the events,
    changing orders (or decisions to change it) and receipts that follows from."""

    order_id: str
    status: str
    ordered: str
    open: str
    expected_on: str
    leaves: bool
    answers: list[str]
    changes: list[str]
    event_hashes: list[str]


class DecisionThen(View):
    """The newest decision about a recommendation by then; `order_id`: the order it led to, if that had gone out."""

    decision_id: str
    version: int
    verdict: str
    recommended_quantity: str
    quantity: str
    value: str
    decided_by: str
    role: str
    decided_at: str
    reason: str | None
    snoozed_until: str | None
    policy_version: int
    matrix_version: int
    order_id: str | None


class RecommendationThen(View):
    """What a line proposed. `received_at`: when it came to be decided about; `status`: what the line was after its newest decision."""

    recommendation_id: str
    line_id: str
    action: str
    origin: str
    quantity: str
    unit: str
    value: str
    currency: str
    supplier: str | None
    from_location: str | None
    changes_order: str | None
    order_on: str
    arrive_on: str
    received_at: str
    status: str
    decision: DecisionThen | None


class PlannedThen(View):
    """The numbers the recommendation was computed from, as published with it."""

    recommendation_id: str
    origin: str
    on_hand: str
    on_order: str
    reserved: str
    inventory_position: str
    reorder_point: str
    order_up_to: str
    policy_version: int
    forecast_id: str
    evidence_sha256: str


class ForecastThen(View):
    """`newest`: it had come by then and nothing has replaced it; `used`: the recommendation was computed from it."""

    forecast_id: str
    known_as: Literal["newest", "used"]
    origin: str | None
    strategy: str | None
    model_id: str | None
    received_at: str | None


class PolicyThen(View):
    scope: str
    version: int
    published_at: str
    published_by: str
    reason: str


class NotKept(View):
    """A part of the answer that could not be told in full, and why."""

    part: str
    says: str


class ItemAsOf(View):
    """An item as it was at `at`. `position` is by when things happened, from all that is known now, late events and corrections
    too; `position_as_known` counts only what had come by `known_at`; `late` is what lies between the two. Recommendations,
    decisions and orders count from when they were received, made and released, answers to orders by their own time."""

    sku: str
    location: str
    at: str
    known_at: str
    position: StockThen | None
    position_as_known: StockThen | None
    late: list[MovementThen]
    late_total: int
    on_order: str
    inventory_position: str | None
    open_orders: list[OpenOrderThen]
    awaiting_release: list[RecommendationThen]
    policy: PolicyThen | None
    forecast: ForecastThen | None
    recommendation: RecommendationThen | None
    planned: PlannedThen | None
    beside: list[RecommendationThen]
    not_kept: list[NotKept]
