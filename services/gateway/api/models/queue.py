"""The queue, one line, and what became of decisions."""

from typing import Any, Literal

from services.gateway.api.models.base import Coded, Counted, View


class Line(View):
    """A line of the queue: the newest recommendation of a need and what was decided about it. abc_class: the catalogue's;
    item_class: the ABC x XYZ class it was planned by, such as AX.

    action `buy` is the item's own order; `transfer` and `allocate` take `quantity` from `from_location`; `expedite`, `defer` and
    `reduce` leave `quantity` of the order `changes_order` to come on `arrives_on`, `cancel` takes it away; `substitute` is ordered in
    place of the product `stands_in_for`. `margin_at_risk` is what such a line gains."""

    recommendation_id: str
    line_id: str
    version: int
    etag: str
    status: str
    action: str
    sku: str
    location: str
    item_name: str | None
    location_name: str | None
    supplier: str | None
    supplier_name: str | None
    category: str | None
    abc_class: str | None
    item_class: str | None = None
    unit: str
    unit_volume_m3: str | None = None
    on_hand: str
    on_order: str
    reserved: str
    inventory_position: str
    reorder_point: str
    order_up_to: str
    days_of_cover: float | None
    stock_out_on: str | None
    stock_out_probability: float
    quantity: str
    recommended_quantity: str
    pack: str | None
    packs: float | None
    moq: str | None
    unit_cost: str
    value: str
    currency: str
    order_on: str
    arrives_on: str
    from_location: str | None = None
    changes_order: str | None = None
    stands_in_for: str | None = None
    margin_at_risk: str
    rank_score: float
    gmroi: float | None
    confidence: float
    reasons: list[Coded]
    explanation: str
    withheld_reason: Coded | None = None
    business_date: str
    issued_at: str
    decided_by: str | None
    decided_at: str | None
    decision_reason: str | None
    snoozed_until: str | None
    undo_until: str | None = None
    owner: str | None = None
    asked_since: str | None = None
    due_at: str | None = None
    escalated: bool = False
    signatures: str | None = None
    asked_by: list[str] = []


class SupplierGroup(View):
    supplier: str | None
    supplier_name: str | None
    count: int
    value: str
    minimum_order_value: str | None
    truck_volume_m3: str | None = None


class LocationGroup(View):
    location: str
    location_name: str | None
    count: int


class CategoryGroup(View):
    category: str | None
    count: int


class QueueSummary(View):
    """Totals of the filtered lines."""

    waiting: int
    proposed_value: str
    margin_at_risk: str
    currency: str | None
    by_rule_today: int
    by_reason: list[Counted]
    by_status: dict[str, int]
    by_supplier: list[SupplierGroup]
    by_location: list[LocationGroup]
    by_category: list[CategoryGroup]


class StepView(View):
    """One step of the derivation, in words."""

    number: int
    name: str
    sentence: str
    value: str
    unit: str
    inputs: dict[str, str]
    binding: bool


class DecisionResult(View):
    """What came of a decision: the order that followed it, and the days after it as far as they are over.

    `sold` and `empty_days` count the `days` business days after the decision's own; `days_late`: against the promised day.
    """

    order_id: str | None
    order_status: str | None
    received: str | None
    received_on: str | None
    days_late: int | None
    days: int
    sold: float | None
    empty_days: int | None


class DecisionView(View):
    """One decision about a line. `result` is told where past decisions of an item are."""

    decision_id: str
    recommendation_id: str
    version: int
    verdict: str
    recommended_quantity: str
    quantity: str
    value: str
    currency: str
    reason: str | None
    note: str | None
    decided_by: str
    role: str
    decided_at: str
    snoozed_until: str | None
    business_date: str | None = None
    result: DecisionResult | None = None


class CommentView(View):
    """What somebody said about a line; it decides nothing."""

    comment_id: str
    recommendation_id: str
    text: str
    by: str
    at: str


class MentionView(View):
    """A comment that asks for the attention of whoever reads this, and the line it stands on. `seen_at`: null until they
    looked at it."""

    comment_id: str
    recommendation_id: str
    sku: str
    item_name: str | None
    location: str
    location_name: str | None
    text: str
    by: str
    at: str
    seen_at: str | None


class ColleagueView(View):
    """Somebody who can be named in a comment."""

    username: str
    name: str


class Evidence(View):
    """Where the numbers of a recommendation come from."""

    recommendation_id: str | None
    evidence_sha256: str | None
    forecast_id: str | None
    policy_version: int | None
    run_id: str | None
    business_date: str | None


class RecommendationView(View):
    line: Line
    steps: list[StepView]
    evidence: Evidence
    decisions: list[DecisionView]


class RationaleView(View):
    """A recommendation's explanation in a language model's words. `source` evidence: the explanation as it is, because of what
    `refused` says, such as a number that the evidence does not hold."""

    recommendation_id: str
    explanation: str
    rationale: str
    source: Literal["language_model", "evidence"]
    refused: str | None


class DecisionOutcome(View):
    """What became of a decision; `line` as it is now."""

    recommendation_id: str
    version: int
    status: str
    decision_id: str | None
    undo_until: str | None
    line: Line | None


class BulkResult(View):
    recommendation_id: str
    status_code: int
    status: str | None
    version: int | None
    undo_until: str | None
    problem: dict[str, Any] | None


class BulkOutcome(View):
    results: list[BulkResult]
    succeeded: int
    failed: int
