"""What the forecaster says of one item beside its forecast: daily demand, and from whom a young one's forecast was borrowed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from kit.http import Problem
from services.gateway.api import models
from services.gateway.api.shared import Who
from services.gateway.context import Context
from services.gateway.owners import path_of
from services.gateway.store import views

# Three months show the season of a grocery item and still fit a chart.
HISTORY_DAYS = 90


@dataclass(frozen=True, slots=True)
class Told:
    """`days` is None where the forecaster could not answer or does not know the item."""

    days: list[models.HistoryDay] | None = None
    likeness: models.Likeness | None = None


async def told(parts: Context, who: Who, sku: str, location: str, missing: list[models.Unavailable]) -> Told:
    """Asked of the forecaster; what it cannot answer is named in `missing`."""
    path = path_of("history", sku, location)
    try:
        answer = await parts.owners.call("forecaster", "GET", path, who.principal, params={"days": HISTORY_DAYS})
    except Problem as problem:
        if problem.status != 404:
            missing.append(models.Unavailable(part="history", reason=problem.detail))
        return Told()
    body: dict[str, Any] = answer.json()
    days = [
        models.HistoryDay(date=one["date"], sold=float(one["quantity"]), censored=bool(one["censored"]))
        for one in body["days"]
    ]
    alike = body.get("likeness")
    if alike is None:
        return Told(days)
    async with parts.reading(who) as tx:
        return Told(days, await _likeness(tx, who.tenant, alike))


async def _likeness(tx: Transaction, tenant: str, alike: dict[str, Any]) -> models.Likeness:
    """As the forecaster told it; of the items it names, those that this person may read."""
    examples = []
    for one in alike["examples"]:
        if await views.forecast(tx, tenant, one["sku"], one["location"]) is not None:
            shown = {name: one[name] for name in ("sku", "location")}
            examples.append(models.LikeItem(**shown, per_day=float(Decimal(one["per_day"]))))
    return models.Likeness(
        category=alike["category"],
        price_third=alike["price_third"],
        items=alike["items"],
        per_day=float(Decimal(alike["per_day"])),
        share=float(Decimal(alike["share"])),
        known_days=alike["known_days"],
        examples=examples,
    )
