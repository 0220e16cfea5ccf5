"""Classes of items by value and steadiness of demand: the goal of each beside what was achieved, as policy computes them."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import ConfigDict

from services.gateway.api import models
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import path_of

router = APIRouter(prefix="/v1", tags=["performance"])
Name = Annotated[str, Path(min_length=1, max_length=64)]


class ClassView(models.View):
    """One class, such as AX: by value A, B, C, by variation of daily demand X (steady), Y, Z (erratic). `fill_rate` is
    estimated; null where nothing was asked for. items_short: items with lost sales; items_otherwise: items that the catalogue
    puts in another class than their sales do. days_out_share: of days without stock at their close."""

    name: str
    items: int
    items_short: int
    items_otherwise: int
    value: str
    value_share: str | None
    goal: str
    fill_rate: str | None
    asked_units: str
    served_units: str
    days_out_share: str | None


class ClassesView(models.View):
    """All classes that have items, and how they came about. first_day is null before the first closed day."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "first_day": "2017-08-22",
                "last_day": "2017-11-20",
                "days_needed": 28,
                "service_kind": "cycle_service",
                "class_source": "catalogue",
                "how": "Units sold of units asked for. …",
                "items": [
                    {
                        "name": "AX", "items": 112, "items_short": 9, "items_otherwise": 4, "value": "48210.5",
                        "value_share": "0.6121", "goal": "0.98", "fill_rate": "0.9874", "asked_units": "20110.25",
                        "served_units": "19857", "days_out_share": "0.0112",
                    }
                ],
            }
        }
    )  # fmt: skip
    first_day: str | None
    last_day: str | None
    days_needed: int
    service_kind: str
    class_source: str
    how: str
    items: list[ClassView]


class ItemClassView(models.View):
    """The class of one item and what it follows from; quantities in stocking units. `catalogue_class`: what the catalogue
    says, if it says anything."""

    abc_class: str
    xyz_class: str
    catalogue_class: str | None
    value: str
    mean_units: str
    sd_units: str
    asked_units: str
    served_units: str
    days_in_stock: int
    days_out: int


@router.get("/classes", summary="Service goal and achieved fill rate of each class")
async def classes(who: Who, parts: Parts) -> ClassesView:
    """As the policy service computed them when the last business day closed."""
    answer = await parts.owners.call("policy", "GET", "/classes", who.principal)
    return ClassesView(**answer.json())


@router.get("/classes/{sku}/{location}", summary="The class of one item")
async def class_of_item(sku: Name, location: Name, who: Who, parts: Parts) -> ItemClassView:
    """404 until the tenant has four weeks of movements, and for an item that did not move in the window."""
    path = path_of("classes", sku, location)
    return ItemClassView(**(await parts.owners.call("policy", "GET", path, who.principal)).json())
