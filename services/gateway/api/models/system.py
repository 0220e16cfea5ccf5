"""Orders, policy, status, who is signed in, keys, and the results of events."""

from typing import Any, Literal

from pydantic import Field

from services.gateway.api.models.base import View


class OrderLineView(View):
    """`ending`: open; received, or short of `expected_quantity`; cancelled; failed; for a line of a change, agreed.
    `expected_quantity`: to come as last agreed. `received_quantity`: what came, null before anything did."""

    line: int
    sku: str
    item_name: str | None
    quantity: str
    unit: str
    unit_cost: str
    value: str
    recommendation_id: str
    decision_id: str
    ending: Literal["open", "received", "short", "cancelled", "failed", "agreed"]
    expected_quantity: str
    received_quantity: str | None


class OrderChangeView(View):
    """An order that changes or cancels another one."""

    order_id: str
    kind: str
    status: str


class OrderUpdateView(View):
    at: str
    kind: str
    note: str | None
    lines: list[dict[str, Any]]


class OrderView(View):
    """An order as released, and how far it has come. `changes_order`: the order this one changes or cancels; `changed_by`: the
    orders that change or cancel this one; `missed_order_on`: the order day its lines were proposed for, when that was over."""

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
    changes_order: str | None = None
    changed_by: list[OrderChangeView] = []
    missed_order_on: str | None = None


class PolicyView(View):
    scope: str
    version: int
    current: bool
    parameters: dict[str, Any]
    effective_from: str
    published_at: str
    published_by: str
    reason: str


class LocationStatus(View):
    location: str
    location_name: str | None
    time_zone: str | None
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
    """How far the tenant's planning is and what waits. `kafka_ready` false: the event log does not answer, so that nothing new
    arrives; what was read stays readable."""

    tenant: str
    now: str
    business_date: str | None
    locations: list[LocationStatus]
    last_run: RunStatus | None
    counts: dict[str, int]
    services: list[ServiceStatus]
    checkpoint: CheckpointStatus | None
    kafka_ready: bool
    read_model: dict[str, int | None]


class SessionView(View):
    """Who is signed in and what the pages may offer. `roles` are those of now: `held` without a `seat`, else that one."""

    subject: str
    name: str
    kind: Literal["user", "machine"]
    tenant: str
    roles: list[str]
    scopes: list[str]
    can: list[str]
    expires_at: str
    held: list[str] = []
    seat: str | None = None


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
    signs_in_by: Literal["password", "provider"]


class AccountSecretView(View):
    """A password as it is shown once: only its hash is kept."""

    username: str
    password: str


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


class OrderAnswerResult(View):
    """What became of one answer in the document. `lines`: how many lines it says something about; none: the whole order."""

    order_id: str
    status: Literal["acknowledged", "confirmed", "failed"]
    lines: int
    result: Literal["accepted", "duplicate", "rejected"]
    field: str | None = None
    reason: str | None = None


class OrderAnswersView(View):
    """One result per answer, in the order of the document."""

    accepted: int
    duplicates: int
    rejected: int
    answers: list[OrderAnswerResult]


class OrderDifference(View):
    """A product of which the two sides have other quantities. `ordered`, `agreed`: ours; null: that side has no line of it."""

    order_id: str
    sku: str
    ordered: str | None
    agreed: str | None
    theirs: str | None


class ReconciledView(View):
    """`missing`: released here and not there; `unknown`: there and never released here; `repeated`: named more than once;
    `equal`: orders both sides have, of which no line differs."""

    missing: list[str]
    unknown: list[str]
    repeated: list[str]
    differences: list[OrderDifference]
    equal: int


class CapturedEvent(View):
    """What became of one EPCIS event. `ignored`: understood, and it changes no stock."""

    index: int
    event_id: str | None
    result: Literal["accepted", "duplicate", "ignored", "rejected"]
    movements: int
    field: str | None = None
    reason: str | None = None


class CaptureView(View):
    """One result per EPCIS event, in the order of the document."""

    accepted: int
    duplicate: int
    ignored: int
    rejected: int
    events: list[CapturedEvent]
