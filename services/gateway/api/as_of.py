"""An item as it was at a past moment: put together from what policy, approvals and the read models keep, each with its ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query

from kit.http import Problem
from schemas.base import Instant
from services.gateway.api import models
from services.gateway.api.models import as_of as then
from services.gateway.api.planning import OWNERS_ANSWER
from services.gateway.api.shared import Name, Parts, Who
from services.gateway.context import Context
from services.gateway.domain.as_of import CHANGES, Moved, OpenOrder, Ordered, open_orders
from services.gateway.domain.lines import PENDING, STATUS_AFTER, WAITING
from services.gateway.owners import path_of
from services.gateway.store import as_of
from services.gateway.store.rows import Row, amount, instant, plain

router = APIRouter(prefix="/v1", tags=["items"])
BUY = "buy"
# Actions that bring goods here; of the others, a change speaks of an order, a substitute is for another product's customers.
BRINGS = frozenset({BUY, "transfer", "allocate"})
HELD = frozenset({"by_rule", "approved", "amended"})
EARLIER_FORECAST = (
    "Of forecasts only the newest is kept whole. Which one was the newest at this moment is in the audit log: entries of this"
    " item of type forecast.issued.v2."
)
NO_PROPOSAL = (
    "Nothing had been proposed by then. Why not is kept for the newest plan only; earlier reasons are in the audit log:"
    " entries of this item of type recommendation.withheld.v1."
)
ANSWERS_BY_THEIR_TIME = (
    "When answers to orders and receipts reached this installation does not count here: they count by their own time."
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the owners and the read models said."""

    stock: dict[str, Any]
    lines: list[dict[str, Any]]
    orders: list[Ordered]
    policy: Row | None
    published: dict[str, Any] | None


@router.get("/items/{sku}/{location}/as-of", summary="The item as it was at a past moment", responses=OWNERS_ANSWER)
async def item_as_of(
    sku: Name,
    location: Name,
    who: Who,
    parts: Parts,
    at: Annotated[Instant, Query(description="the moment, RFC 3339")],
    known_at: Annotated[
        Instant | None, Query(description="by when events had to have come; default: the moment")
    ] = None,
) -> models.ItemAsOf:
    """404 when nothing of the item was known to have happened by then, 422 for a moment that is still to come."""
    known_by = known_at or at
    _must_be_past(parts, {"at": at, "known_at": known_by})
    asked = {"at": at.isoformat(), "known_at": known_by.isoformat()}
    path = path_of("positions", sku, location, "as-of")
    answer = await parts.owners.call("policy", "GET", path, who.principal, params=asked)
    stock: dict[str, Any] = answer.json()
    async with parts.reading(who) as tx:
        line_ids = await as_of.lines(tx, who.tenant, sku, location)
        orders = await as_of.orders(tx, who.tenant, sku, sorted({one["order_id"] for one in stock["supply"]}))
        policy = await as_of.policy(tx, who.tenant, at)
    body = {"line_ids": line_ids, "at": at.isoformat()}
    proposed = await parts.owners.call("approvals", "POST", "/lines/as-of", who.principal, json=body)
    lines: list[dict[str, Any]] = proposed.json()["items"]
    own = _own(lines, location)
    published = await _published(parts, who, own["recommendation_id"]) if own else None
    told = _Told(stock, lines, orders, policy, published)
    if stock["position"] is None and not lines and not any(one.released_at <= at for one in orders):
        raise _nothing_yet(sku, location, at, stock["first_at"])
    return _view(sku, location, at, known_by, told, own)


def _must_be_past(parts: Context, moments: dict[str, datetime]) -> None:
    now = parts.clock.now()
    errors = [
        {"field": name, "reason": f"{instant(moment)} is still to come; it is {instant(now)}"}
        for name, moment in moments.items()
        if moment > now
    ]
    if errors:
        raise Problem(422, "moment_in_future", "This moment is still to come", errors[0]["reason"], errors=errors)


def _nothing_yet(sku: str, location: str, at: datetime, first_at: str | None) -> Problem:
    began = (
        f"the first stock event known of it happened at {_moment(first_at)}" if first_at else "no stock event is known"
    )
    return Problem(
        404,
        "nothing_known_then",
        "Nothing was known of this item then",
        f"Of {sku[:64]} at {location[:64]} nothing had happened by {instant(at)}: {began}.",
        first_at=_moment(first_at) if first_at else None,
    )


async def _published(parts: Context, who: Who, recommendation_id: str) -> dict[str, Any] | None:
    """The recommendation as the policy service published it; None for one it did not make."""
    path = path_of("recommendations", recommendation_id, "evidence")
    try:
        found: dict[str, Any] = (await parts.owners.call("policy", "GET", path, who.principal)).json()
    except Problem as problem:
        if problem.status != 404:
            raise
        return None
    return found


def _own(lines: Iterable[dict[str, Any]], location: str) -> dict[str, Any] | None:
    """The newest of the item's own lines: those beside it are about other orders or places."""
    mine = [one for one in lines if one["action"] == BUY and one["location"] == location]
    return max(mine, key=lambda one: datetime.fromisoformat(one["received_at"]), default=None)


def _view(
    sku: str, location: str, at: datetime, known_by: datetime, told: _Told, own: dict[str, Any] | None
) -> models.ItemAsOf:
    waits = [one for one in told.lines if _status(one) in HELD]
    found = _open(sku, location, at, told, waits)
    awaiting = [one for one in waits if one["action"] in BRINGS]
    coming = sum((Decimal(one["decision"]["quantity"]) for one in awaiting if one["location"] == location), Decimal(0))
    on_order = sum((one.open for one in found if not one.leaves), coming)
    leaving = sum((one.open for one in found if one.leaves), Decimal(0)) + sum(
        (Decimal(one["decision"]["quantity"]) for one in awaiting if one["location"] != location), Decimal(0)
    )
    position = told.stock["position"]
    beside = [one for one in told.lines if one["action"] != BUY and one["location"] == location]
    return models.ItemAsOf(
        sku=sku,
        location=location,
        at=instant(at) or "",
        known_at=instant(known_by) or "",
        position=_stock(position),
        position_as_known=_stock(told.stock["position_as_known"]),
        late=[_movement(one) for one in told.stock["late"]],
        late_total=told.stock["late_total"],
        on_order=plain(on_order) or "0",
        inventory_position=_inventory_position(position, on_order - leaving),
        open_orders=[_order(one) for one in found],
        awaiting_release=[_line(one) for one in awaiting],
        policy=_policy(told.policy),
        forecast=_forecast(told),
        recommendation=_line(own) if own else None,
        planned=_planned(told.published),
        beside=[_line(one) for one in beside if _status(one) in (*WAITING, "snoozed", *HELD)],
        not_kept=_not_kept(told, own),
    )


def _open(sku: str, location: str, at: datetime, told: _Told, waits: list[dict[str, Any]]) -> list[OpenOrder]:
    """Orders as they stood; a change that was approved counts before it is sent, as it does in a plan."""
    approved = [
        Ordered(
            one["decision"]["decision_id"],
            "cancel" if one["action"] == "cancel" else "change",
            datetime.fromisoformat(one["decision"]["decided_at"]),
            date.fromisoformat(one["arrive_on"]),
            Decimal(one["decision"]["quantity"]),
            one["changes_order"],
        )
        for one in waits
        if one["changes_order"] is not None and one["location"] == location
    ]
    moved = [
        Moved(
            one["order_id"],
            one["event_hash"],
            one["kind"],
            Decimal(one["quantity"]),
            datetime.fromisoformat(one["occurred_at"]),
        )
        for one in told.stock["received"]
    ]
    leaves = {one["order_id"]: one["leaves"] for one in told.stock["supply"] if one["stands_in_for"] is None}
    return open_orders(sku, [*told.orders, *approved], leaves, moved, at)


def _inventory_position(position: dict[str, Any] | None, coming: Decimal) -> str | None:
    if position is None:
        return None
    on_hand, reserved, backorders = (
        Decimal(position[name]["quantity"]) for name in ("on_hand", "reserved", "backorders")
    )
    return plain(on_hand + coming - reserved - backorders)


def _status(line: dict[str, Any]) -> str:
    decision = line["decision"]
    if decision is None:
        return PENDING
    return "released" if decision["order_id"] is not None else STATUS_AFTER[decision["verdict"]]


def _moment(text: str) -> str:
    return instant(datetime.fromisoformat(text)) or ""


def _movement(one: dict[str, Any]) -> then.MovementThen:
    times = {name: one[name] and _moment(one[name]) for name in ("occurred_at", "received_at")}
    return then.MovementThen(**one | times)


def _stock(found: dict[str, Any] | None) -> then.StockThen | None:
    if found is None:
        return None
    figures = {
        name: then.FigureThen(**figure | {"counted": figure["counted"] and _movement(figure["counted"])})
        for name, figure in found.items()
    }
    return then.StockThen(**figures)


def _order(one: OpenOrder) -> then.OpenOrderThen:
    return then.OpenOrderThen(
        order_id=one.order_id,
        status=one.status,
        ordered=plain(one.ordered) or "0",
        open=plain(one.open) or "0",
        expected_on=one.arrive_on.isoformat(),
        leaves=one.leaves,
        answers=list(one.answers),
        changes=list(one.changes),
        event_hashes=list(one.moved),
    )


def _line(line: dict[str, Any]) -> then.RecommendationThen:
    decision = line["decision"]
    if decision is not None:
        names = then.DecisionThen.model_fields.keys() & decision.keys()
        decision = {name: decision[name] for name in names} | {
            "recommended_quantity": decision["quantity_before"],
            "value": amount(Decimal(decision["value"])),
            "decided_at": _moment(decision["decided_at"]),
        }
    money = {"value": amount(Decimal(line["value"])), "received_at": _moment(line["received_at"])}
    names = then.RecommendationThen.model_fields.keys() & line.keys()
    known = {name: line[name] for name in names} | money | {"decision": decision, "status": _status(line)}
    return then.RecommendationThen(**known)


def _policy(row: Row | None) -> then.PolicyThen | None:
    return None if row is None else then.PolicyThen(**row | {"published_at": instant(row["published_at"])})


def _planned(published: dict[str, Any] | None) -> then.PlannedThen | None:
    if published is None:
        return None
    return then.PlannedThen(**{name: published[name] for name in then.PlannedThen.model_fields})


def _forecast(told: _Told) -> then.ForecastThen | None:
    newest = told.stock["forecast"]
    if newest is not None:
        known = {name: newest[name] for name in ("forecast_id", "origin", "strategy", "model_id")}
        return then.ForecastThen(**known, known_as="newest", received_at=_moment(newest["received_at"]))
    if told.published is None:
        return None
    return then.ForecastThen(
        forecast_id=told.published["forecast_id"],
        known_as="used",
        origin=None,
        strategy=None,
        model_id=None,
        received_at=None,
    )


def _not_kept(told: _Told, own: dict[str, Any] | None) -> list[then.NotKept]:
    """Where this answer says less than was so, and where the rest is."""
    seen = {one.order_id for one in told.orders if one.kind not in CHANGES}
    hidden = len({one["order_id"] for one in told.stock["supply"]} - seen)
    says = [
        ("forecast", EARLIER_FORECAST if told.stock["forecast"] is None else None),
        ("recommendation", NO_PROPOSAL if own is None else None),
        ("open_orders", ANSWERS_BY_THEIR_TIME if told.orders else None),
        (
            "on_order",
            f"{hidden} orders of this item are not told here: they lie outside what you cover, or have not been read yet."
            if hidden
            else None,
        ),
    ]
    return [then.NotKept(part=part, says=why) for part, why in says if why is not None]
