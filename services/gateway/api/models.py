"""What the API says: response models only, so that no column reaches a page unless it is named here.

Money and quantities are decimal strings; chart series are numbers. Unknown is null.
"""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class View(BaseModel):
    """Something a page shows."""

    model_config = ConfigDict(extra="forbid")


class Page(View, Generic[T]):
    """One page of a list. Continue with the same query and `cursor=next_cursor`."""

    items: list[T]
    next_cursor: str | None = None
    total: int | None = None


class Coded(View):
    """A code and its words."""

    code: str
    label: str


class Counted(Coded):
    count: int


class Line(View):
    """A line of the queue: the newest recommendation of a need and what was decided about it."""

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
    unit: str
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


class SupplierGroup(View):
    supplier: str | None
    supplier_name: str | None
    count: int
    value: str
    minimum_order_value: str | None


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


class DecisionView(View):
    """One decision about a line."""

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


class ItemRow(View):
    sku: str
    location: str
    item_name: str | None
    location_name: str | None
    category: str | None
    abc_class: str | None
    supplier: str | None
    supplier_name: str | None
    on_hand: str | None
    days_of_cover: float | None
    status: str | None
    recommendation_id: str | None
    quantity: str | None
    value: str | None
    currency: str | None
    business_date: str | None
    withheld_reason: Coded | None
    withheld_says: str | None


class PositionRow(View):
    sku: str
    location: str
    item_name: str | None
    location_name: str | None
    on_hand: str | None
    on_order: str | None
    reserved: str | None
    inventory_position: str | None
    days_of_cover: float | None
    business_date: str | None


class ItemFacts(View):
    sku: str
    location: str
    item_name: str | None
    location_name: str | None
    unit: str | None
    category: str | None
    department: str | None
    brand: str | None
    price: str | None
    abc_class: str | None
    shelf_life_days: int | None
    supplier: str | None
    supplier_name: str | None
    lead_time_days: int | None
    pack: str | None
    moq: str | None
    unit_cost: str | None
    currency: str | None
    time_zone: str | None


class Levels(View):
    reorder_point: str | None
    order_up_to: str | None
    safety_stock: str | None
    days_of_cover: float | None


class HistoryDay(View):
    date: str
    sold: float
    censored: bool


class FanDay(View):
    date: str
    mean: float
    quantiles: list[float]


class FanSpan(View):
    date: str
    days: int
    mean: float
    quantiles: list[float]


class Fan(View):
    """The forecast: bands by day for the chart, and the published quantiles of totals over a span (`cumulative`)."""

    forecast_id: str
    model: str
    strategy: str
    origin: str
    confidence: float
    flags: list[str]
    levels: list[float]
    days: list[FanDay]
    cumulative: list[FanSpan]


class ProjectedDay(View):
    date: str
    with_order: float | None
    without_order: float


class ProjectionView(View):
    """Expected stock on hand at the end of each day."""

    origin: str
    reorder_point: float | None
    order_up_to: float | None
    arrives_on: str | None
    days: list[ProjectedDay]


class Unavailable(View):
    part: str
    reason: str


class ExceptionView(View):
    exception_id: str
    kind: str
    kind_label: str
    subject: str
    sku: str | None
    location: str | None
    supplier: str | None
    item_name: str | None
    owner: str
    money_at_stake: str | None
    message: str
    remedy: str
    status: Literal["open", "resolved"]
    raised_on: str
    resolved_on: str | None
    resolved_message: str | None
    details: dict[str, Any]


class ItemPanel(View):
    """Everything about one product in one place. What an owner service could not answer is null and named in `unavailable`."""

    item: ItemFacts
    line: Line | None
    position: dict[str, Any] | None
    levels: Levels
    history: list[HistoryDay] | None
    fan: Fan | None
    projection: ProjectionView | None
    steps: list[StepView]
    explanation: str | None
    sentence: str | None
    withheld_reason: Coded | None
    withheld_says: str | None
    past_decisions: list[DecisionView]
    evidence: Evidence
    exceptions: list[ExceptionView]
    signals: list[dict[str, Any]]
    unavailable: list[Unavailable]


class ForecastRow(View):
    sku: str
    location: str
    item_name: str | None
    location_name: str | None
    forecast_id: str
    model: str
    strategy: str
    origin: str
    horizon_days: int
    mean_next_7: float
    mean_next_28: float
    p10_next_28: float
    p90_next_28: float
    recent_28: str | None
    confidence: float
    flags: list[str]


class ForecastView(View):
    forecast: ForecastRow
    fan: Fan
    sentence: str
    history: list[HistoryDay] | None
    unavailable: list[Unavailable]


class OrderLineView(View):
    line: int
    sku: str
    item_name: str | None
    quantity: str
    unit: str
    unit_cost: str
    value: str
    recommendation_id: str
    decision_id: str


class OrderUpdateView(View):
    at: str
    kind: str
    note: str | None
    lines: list[dict[str, Any]]


class OrderView(View):
    order_id: str
    kind: str
    status: str
    supplier: str | None
    supplier_name: str | None
    from_location: str | None
    location: str
    location_name: str | None
    order_on: str
    expected_on: str
    released_at: str
    currency: str
    value: str
    line_count: int
    lines: list[OrderLineView]
    updates: list[OrderUpdateView]


class PolicyView(View):
    scope: str
    version: int
    current: bool
    parameters: dict[str, Any]
    effective_from: str
    published_at: str
    published_by: str
    reason: str


class Listed(View, Generic[T]):
    items: list[T]


class LocationStatus(View):
    location: str
    location_name: str | None
    business_date: str | None


class RunStatus(View):
    run_id: str
    business_date: str | None
    finished_at: str
    items: int
    proposed: int
    withheld: int


class ServiceStatus(View):
    name: str
    ready: bool


class CheckpointStatus(View):
    log_id: str
    size: int
    signed_at: str


class Status(View):
    """How far the tenant's planning is and what waits."""

    tenant: str
    now: str
    business_date: str | None
    locations: list[LocationStatus]
    last_run: RunStatus | None
    counts: dict[str, int]
    services: list[ServiceStatus]
    checkpoint: CheckpointStatus | None
    read_model: dict[str, int | None]


class SessionView(View):
    """Who is signed in and what the pages may offer."""

    subject: str
    name: str
    kind: Literal["user", "machine"]
    tenant: str
    roles: list[str]
    scopes: list[str]
    can: list[str]
    expires_at: str


class KeyView(View):
    key_id: str
    name: str
    prefix: str
    scopes: list[str]
    created_by: str
    created_at: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None


class NewKeyView(View):
    """A key as it is shown once: `secret` cannot be read again."""

    key_id: str
    name: str
    scopes: list[str]
    expires_at: str
    secret: str


class AccountView(View):
    username: str
    name: str
    roles: list[str]
    active: bool
    last_sign_in_at: str | None


class EventResultView(View):
    index: int
    id: str | None
    result: Literal["accepted", "duplicate", "rejected"]
    field: str | None = None
    reason: str | None = None


class BatchView(View):
    """One result per event, in the order of the batch."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[EventResultView] = Field(default_factory=list)
