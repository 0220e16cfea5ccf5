"""Items, positions and forecasts: lists, and the whole argument for one item."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from kit.clock import zone_of
from kit.database import Transaction
from kit.http import Problem
from services.gateway.api import models, present
from services.gateway.api.demand_history import Told, told
from services.gateway.api.planning import OWNERS_ANSWER
from services.gateway.api.shared import Code, Cursor, Limit, Name, Parts, Search, Who, behind, following, not_found
from services.gateway.context import Context
from services.gateway.domain import fan as fans
from services.gateway.domain.signals import in_days
from services.gateway.domain.wording import WITHHELD_REASONS
from services.gateway.owners import passed, path_of
from services.gateway.store import decided, queue, views
from services.gateway.store.rows import Row, amount, loaded, plain

router = APIRouter(prefix="/v1", tags=["items"])
PAST_DECISIONS = 5
COMMENTS_SHOWN = 20
# Two weeks show whether an order came in time and was enough; later days are another decision's.
RESULT_DAYS = 14


def _by_item(row: Row) -> tuple[str, str]:
    return row["sku"], row["location"]


@router.get("/items", summary="Every planned item with its newest outcome")
async def items(
    who: Who,
    parts: Parts,
    q: Search = None,
    location: Code = None,
    supplier: Code = None,
    category: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> models.Page[models.ItemRow]:
    """One page of items by sku and location; those without a proposal say why."""
    query = f"items {q} {location} {supplier} {category}"
    after = behind(query, cursor, (str, str))
    async with parts.reading(who) as tx:
        rows = await views.items(
            tx, who.tenant, text=q, location=location, supplier=supplier, category=category, after=after, limit=limit
        )
    return models.Page(items=[present.item(row) for row in rows], next_cursor=following(query, rows, limit, _by_item))


@router.get("/positions", summary="Stock positions as the newest plan saw them")
async def positions(
    who: Who, parts: Parts, q: Search = None, location: Code = None, limit: Limit = 50, cursor: Cursor = None
) -> models.Page[models.PositionRow]:
    """One page by sku and location. The item panel asks the policy service for the position of this moment."""
    query = f"positions {q} {location}"
    after = behind(query, cursor, (str, str))
    async with parts.reading(who) as tx:
        rows = await views.items(
            tx, who.tenant, text=q, location=location, supplier=None, category=None, after=after, limit=limit
        )
    return models.Page(
        items=[present.position(row) for row in rows], next_cursor=following(query, rows, limit, _by_item)
    )


@router.get("/forecasts", summary="The newest forecast of every item")
async def forecasts(
    who: Who, parts: Parts, q: Search = None, location: Code = None, limit: Limit = 50, cursor: Cursor = None
) -> models.Page[models.ForecastRow]:
    """One page by sku and location."""
    query = f"forecasts {q} {location}"
    after = behind(query, cursor, (str, str))
    async with parts.reading(who) as tx:
        rows = await views.forecasts(tx, who.tenant, text=q, location=location, after=after, limit=limit)
    return models.Page(
        items=[present.forecast(row) for row in rows], next_cursor=following(query, rows, limit, _by_item)
    )


@router.get("/forecasts/{sku}/{location}", summary="The forecast of one item, with its history")
async def forecast(sku: Name, location: Name, who: Who, parts: Parts) -> models.ForecastView:
    """404 when there is none yet."""
    missing: list[models.Unavailable] = []
    async with parts.reading(who) as tx:
        row = await views.forecast(tx, who.tenant, sku, location)
    if row is None:
        raise not_found("forecast", f"{sku}/{location}")
    known = await told(parts, who, sku, location, missing)
    return models.ForecastView(
        forecast=present.forecast(row),
        fan=present.fan(row),
        sentence=fans.sentence(present.published(row)),
        history=known.days,
        likeness=known.likeness,
        unavailable=missing,
    )


@router.get("/items/{sku}/{location}/movements", summary="The stock events behind a position", responses=OWNERS_ANSWER)
async def movements(
    sku: Name,
    location: Name,
    who: Who,
    parts: Parts,
    before: Annotated[datetime | None, Query(description="next_before of the page before")] = None,
    limit: Limit = 50,
) -> Response:
    """The position of this moment and a page of its ledger, newest first, as the policy service keeps them."""
    path = path_of("positions", sku, location)
    asked = {"before": before.isoformat() if before else None, "limit": limit}
    return passed(await parts.owners.call("policy", "GET", path, who.principal, params=asked))


@router.get("/items/{sku}/{location}", summary="The whole argument for one item")
async def item(
    sku: Name,
    location: Name,
    who: Who,
    parts: Parts,
    recommendation_id: Annotated[str | None, Query(max_length=64, description="default: the newest")] = None,
) -> models.ItemPanel:
    """404 when the item is not known. What a service could not answer in time is null and named in `unavailable`."""
    missing: list[models.Unavailable] = []
    asked = asyncio.gather(told(parts, who, sku, location, missing), _position(parts, who, sku, location, missing))
    async with parts.reading(who) as tx:
        known = await _known(tx, who.tenant, sku, location, recommendation_id)
        facts = await _facts(tx, who.tenant, sku, location, known.line)
        exceptions = await views.exceptions(tx, who.tenant, status="open", kind=None, item=(sku, location), limit=20)
        past = await views.decisions_of_item(tx, who.tenant, sku, location, PAST_DECISIONS)
        comments = await views.comments_of_item(tx, who.tenant, sku, location, COMMENTS_SHOWN)
        back = await decided.back_from_snooze(tx, who.tenant, known.line) if known.line else None
        since = known.since
        signals = await views.signals_of_item(tx, who.tenant, sku, location, since) if since else []
    demand, position = await asked
    if known.nothing and facts.item_name is None and position is None:
        raise not_found("item", f"{sku}/{location}")
    panel = known.panel(facts, demand, position, exceptions, past, signals, missing)
    said = [present.comment(row) for row in comments]
    return panel.model_copy(update={"comments": said, "back_from_snooze": back})


def decision_with_result(row: Row, history: list[models.HistoryDay]) -> models.DecisionView:
    """A past decision and what came of it: its order, and demand and empty shelves in the days that followed."""
    origin, received_on = row["origin"], row["received_on"]
    after = [] if origin is None else [one for one in history if origin.isoformat() < one.date][:RESULT_DAYS]
    late = (received_on - row["arrive_on"]).days if received_on and row["arrive_on"] else None
    result = models.DecisionResult(
        order_id=row["order_id"],
        order_status=(row["order_status"] or "released") if row["order_id"] else None,
        received=plain(row["received"]),
        received_on=received_on.isoformat() if received_on else None,
        days_late=late,
        days=len(after),
        sold=sum(one.sold for one in after) if after else None,
        empty_days=sum(one.censored for one in after) if after else None,
    )
    found = present.decision(row)
    return found.model_copy(update={"result": result, "business_date": origin.isoformat() if origin else None})


class _Known:
    """What the read models know about an item."""

    def __init__(self, line: Row | None, outcome: Row | None, forecast_row: Row | None) -> None:
        self.line = line
        self.outcome = outcome
        self.forecast = forecast_row

    @property
    def nothing(self) -> bool:
        return self.line is None and self.outcome is None and self.forecast is None

    @property
    def since(self) -> date | None:
        """Signals that ended longer ago than this explain nothing any more."""
        origin = (self.outcome or self.forecast or {}).get("origin")
        return None if origin is None else origin - timedelta(days=28)

    def panel(
        self,
        facts: models.ItemFacts,
        demand: Told,
        position: dict[str, Any] | None,
        exceptions: list[Row],
        past: list[Row],
        signals: list[Row],
        missing: list[models.Unavailable],
    ) -> models.ItemPanel:
        line, outcome = self.line, self.outcome
        levels = line or outcome or {}
        return models.ItemPanel(
            item=facts,
            line=present.line(line) if line else None,
            position=position or _position_as_planned(outcome),
            levels=models.Levels(
                reorder_point=plain(levels.get("reorder_point")),
                order_up_to=plain(levels.get("order_up_to")),
                safety_stock=_safety_stock(line),
                days_of_cover=levels.get("days_of_cover"),
            ),
            history=demand.days,
            likeness=demand.likeness,
            fan=present.fan(self.forecast) if self.forecast else None,
            projection=present.projection(line) if line else None,
            steps=present.steps(line) if line else [],
            explanation=line["explanation"] if line else (outcome or {}).get("withheld_says"),
            sentence=fans.sentence(present.published(self.forecast)) if self.forecast else None,
            withheld_reason=present.coded(WITHHELD_REASONS, (outcome or {}).get("withheld_reason")),
            withheld_says=(outcome or {}).get("withheld_says"),
            back_from_snooze=None,
            comments=[],
            past_decisions=[decision_with_result(row, demand.days or []) for row in past],
            evidence=present.evidence(line, outcome),
            exceptions=[present.exception(row) for row in exceptions],
            signals=[in_days(loaded(row["body"]), zone_of(facts.time_zone)) for row in signals],
            unavailable=missing,
        )


async def _known(tx: Transaction, tenant: str, sku: str, location: str, recommendation_id: str | None) -> _Known:
    line = None
    if recommendation_id is not None:
        line = await queue.one(tx, tenant, recommendation_id=recommendation_id)
        if line is None or (line["sku"], line["location"]) != (sku, location):
            raise not_found("recommendation", recommendation_id)
    else:
        line = await queue.newest_of_item(tx, tenant, sku, location)
    return _Known(line, await views.outcome(tx, tenant, sku, location), await views.forecast(tx, tenant, sku, location))


async def _facts(tx: Transaction, tenant: str, sku: str, location: str, line: Row | None) -> models.ItemFacts:
    product = loaded(await views.fact(tx, tenant, "item", sku)) or {}
    place = loaded(await views.fact(tx, tenant, "location", location)) or {}
    terms = [loaded(body) for body in await views.terms(tx, tenant, sku, location)]
    supplier = line["supplier"] if line else None
    chosen = next((one for one in terms if one["supplier"] == supplier), terms[0] if terms and supplier is None else {})
    supplier = supplier or chosen.get("supplier")
    named = loaded(await views.fact(tx, tenant, "supplier", supplier)) if supplier else None
    return models.ItemFacts(
        sku=sku,
        location=location,
        item_name=product.get("name"),
        location_name=place.get("name"),
        unit=product.get("unit") or (line["unit"] if line else None),
        category=product.get("category"),
        department=product.get("department"),
        brand=product.get("brand"),
        price=product.get("price"),
        abc_class=product.get("abc_class"),
        item_class=line["item_class"] if line else None,
        shelf_life_days=product.get("shelf_life_days"),
        supplier=supplier,
        supplier_name=(named or {}).get("name"),
        lead_time_days=chosen.get("lead_time_days"),
        pack=plain(line["pack"]) if line else chosen.get("pack"),
        moq=plain(line["moq"]) if line else chosen.get("moq"),
        unit_cost=amount(line["unit_cost"]) if line else chosen.get("unit_cost"),
        currency=line["currency"] if line else chosen.get("currency"),
        time_zone=place.get("time_zone"),
    )


def _safety_stock(line: Row | None) -> str | None:
    """As the derivation reports it, when it has such a step."""
    if line is None:
        return None
    for step in loaded(line["steps"]):
        for name in ("safety_stock", "safety_stock_units"):
            if name in step["inputs"]:
                return str(step["inputs"][name])
        if step["code"] == "safety_stock":
            return str(step["result"])
    return None


def _position_as_planned(outcome: Row | None) -> dict[str, Any] | None:
    if outcome is None or outcome["inventory_position"] is None:
        return None
    position = {name: plain(outcome[name]) for name in ("on_hand", "on_order", "reserved", "inventory_position")}
    return position | {
        "backorders": None,
        "as_of": outcome["origin"].isoformat() if outcome["origin"] else None,
        "open_orders": [],
    }


async def _position(
    parts: Context, who: Who, sku: str, location: str, missing: list[models.Unavailable]
) -> dict[str, Any] | None:
    try:
        answer = await parts.owners.call("policy", "GET", path_of("positions", sku, location), who.principal)
        found: dict[str, Any] = answer.json()
        return found
    except Problem as problem:
        if problem.status != 404:
            missing.append(models.Unavailable(part="position", reason=problem.detail))
        return None
