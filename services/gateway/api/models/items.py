"""Items, forecasts, positions and exceptions."""

from typing import Any, Literal

from services.gateway.api.models.base import Coded, Page, View
from services.gateway.api.models.queue import CommentView, DecisionView, Evidence, Line, StepView


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
    item_class: str | None = None
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


class LikeItem(View):
    sku: str
    location: str
    per_day: float


class Likeness(View):
    """From which like items a young item's forecast was borrowed: those of its `category` (null: it has none), where prices
    are known of that third of it by price (`price_third`). They are `items`, sell `per_day` each on average and have this
    `share` in the level of the forecast; the rest are its own `known_days`. `examples`: those that weigh most."""

    category: str | None
    price_third: Literal["lowest", "middle", "highest"] | None
    items: int
    per_day: float
    share: float
    known_days: int
    examples: list[LikeItem]


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
    flags_in_words: list[str]
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
    currency: str | None = None
    message: str
    remedy: str
    status: Literal["open", "resolved"]
    raised_on: str
    resolved_on: str | None
    resolved_message: str | None
    details: dict[str, Any]
    due_on: str
    overdue: bool = False


class ExceptionPage(Page[ExceptionView]):
    """One page; `cap` is how many a person is shown as a day's work."""

    cap: int


class ItemPanel(View):
    """Everything about one product in one place. What an owner service could not answer is null and named in `unavailable`.
    `back_from_snooze`: what changed while the line was put aside, until somebody or a fresher plan moves it on."""

    item: ItemFacts
    line: Line | None
    position: dict[str, Any] | None
    levels: Levels
    history: list[HistoryDay] | None
    likeness: Likeness | None
    fan: Fan | None
    projection: ProjectionView | None
    steps: list[StepView]
    explanation: str | None
    sentence: str | None
    withheld_reason: Coded | None
    withheld_says: str | None
    past_decisions: list[DecisionView]
    back_from_snooze: str | None
    comments: list[CommentView]
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
    flags_in_words: list[str]


class ForecastView(View):
    forecast: ForecastRow
    fan: Fan
    sentence: str
    history: list[HistoryDay] | None
    likeness: Likeness | None
    unavailable: list[Unavailable]
