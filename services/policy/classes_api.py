"""Questions about classes: goal and achieved fill rate of each ABC x XYZ class, and the class of one item."""

from decimal import Decimal
from typing import Any

from fastapi import APIRouter, FastAPI

from kit.database import Database
from kit.http import Problem
from services.policy import planner
from services.policy.api import Caller
from services.policy.domain.classes import DAYS_MIN
from services.policy.domain.numbers import plain
from services.policy.store import classes, policies

PLACES = Decimal("0.0001")
HOW = (
    "Units sold of units asked for. Asked for = sold, and for each day that closed with nothing on hand the item's mean of its"
    " days with stock, less what was sold that day: an estimate, since nobody counts customers who found nothing. Corrections"
    " by a count stand on the day of the count."
)


def attach(app: FastAPI, database: Database) -> None:
    """Put the routes on the service's app."""
    router = APIRouter()

    @router.get("/classes")
    async def read_classes(caller: Caller) -> dict[str, Any]:
        """Every class that has items, with its goal beside what was achieved in the window, and how that is estimated."""
        async with database.transaction(caller.tenant) as tx:
            rules = (await policies.current(tx, caller.tenant) or planner.default_policy()).parameters
            window = await classes.window(tx, caller.tenant)
            rows = await classes.totals(tx, caller.tenant, by_catalogue=rules.class_source == "catalogue")
        whole = sum((row["value"] for row in rows), Decimal(0))
        return {
            "first_day": window[0].isoformat() if window else None,
            "last_day": window[1].isoformat() if window else None,
            "days_needed": DAYS_MIN,
            "service_kind": rules.service_kind,
            "class_source": rules.class_source,
            "how": HOW,
            "items": [_class(row, plain(rules.service_goal(row["name"][0], row["name"][1])), whole) for row in rows],
        }

    @router.get("/classes/{sku}/{location}")
    async def read_class(sku: str, location: str, caller: Caller) -> dict[str, Any]:
        """The class of one item, and what it follows from."""
        async with database.transaction(caller.tenant) as tx:
            found = await classes.of_item(tx, caller.tenant, sku, location)
        if found is None:
            says = f"Nothing moved of {sku} at {location} in the window, or the tenant's sales began less than {DAYS_MIN} days ago."
            raise Problem(404, "class_unknown", "This item has no class yet", says)
        return {name: plain(value) if isinstance(value, Decimal) else value for name, value in found.items()}

    app.include_router(router)


def _class(row: dict[str, Any], goal: str, whole: Decimal) -> dict[str, Any]:
    asked, days = row["asked"], row["days_in_stock"] + row["days_out"]
    return {
        "name": row["name"],
        "items": row["items"],
        "items_short": row["items_short"],
        "items_otherwise": row["items_otherwise"],
        "value": plain(row["value"]),
        "value_share": plain((row["value"] / whole).quantize(PLACES)) if whole else None,
        "goal": goal,
        "fill_rate": plain((row["served"] / asked).quantize(PLACES)) if asked > 0 else None,
        "asked_units": plain(asked),
        "served_units": plain(row["served"]),
        "days_out_share": plain((Decimal(row["days_out"]) / days).quantize(PLACES)) if days else None,
    }
