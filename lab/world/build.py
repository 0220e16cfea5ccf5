"""A world from a shape: real receipts, simulated terms and stock, in a few seconds; later from a cache beside the data.

The cache is plain Parquet; it is only a cache, so a broken or old one is rebuilt without a word of complaint.
"""

import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.world import receipts
from lab.world.chance import share
from lab.world.shape import FIRST_DAY, LAST_DAY, Shape
from lab.world.shelves import History, Shelf, replenish
from lab.world.terms import Supplier, habit_of, supplier_of, terms_of

TABLES = ("items", "suppliers", "sales", "movements")


@dataclass(frozen=True)
class World:
    """Everything that was true in 2017, as far as the demo goes. Frames are in item order and in time order.

    items: sku, location, name, category, department, brand, price, abc_class, supplier, lead_time_days, unit_cost, pack,
    moq, shelf_life_days, units_per_day, on_hand (at the close of `today`) · suppliers: supplier, name, lead_time_days,
    order_weekdays, minimum_order_value · sales: item, day, quantity, unit_price_e4 (ten-thousandths of a dollar),
    promotion, sold_at (UTC seconds), basket_id (days after `today` included) · movements: item, day, kind (count,
    receipt), quantity. A `day` counts from FIRST_DAY.
    """

    shape: Shape
    items: pd.DataFrame
    suppliers: pd.DataFrame
    sales: pd.DataFrame
    movements: pd.DataFrame

    def day(self, number: int) -> date:
        """The business date of a day number."""
        return FIRST_DAY + timedelta(days=number)

    @cached_property
    def skus(self) -> list[str]:
        """SKU by item number."""
        return self.items["sku"].tolist()

    @cached_property
    def places(self) -> list[str]:
        """Location by item number."""
        return self.items["location"].tolist()

    @cached_property
    def locations(self) -> list[str]:
        """Codes of all stores, in order."""
        return sorted(self.items["location"].unique().tolist())


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, each by column name."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


def world(shape: Shape, cache: Path | None = None) -> World:
    """The world of this shape, from `cache` (a directory) when it holds it, else built and kept there.

    Raises DataMissing when the receipts are not installed.
    """
    if cache is None:
        return build(shape)
    place = cache / shape.fingerprint()
    try:
        return World(shape, *(pd.read_parquet(place / f"{table}.parquet") for table in TABLES))
    except (OSError, ValueError):
        made = build(shape)
        # Written beside and renamed, so that an interrupted start leaves no half cache.
        partial = place.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for table in TABLES:
            getattr(made, table).to_parquet(partial / f"{table}.parquet")
        shutil.rmtree(place, ignore_errors=True)
        partial.rename(place)
        return made


def build(shape: Shape) -> World:
    """The world of this shape from the installed receipts."""
    product_frame = receipts.products()
    sold = receipts.lines(product_frame.index)
    chosen = receipts.choose(sold, shape)
    sales = _sales(sold, chosen)
    items, suppliers = _master_data(chosen, sales, product_frame, shape)
    daily = _daily_units(sales, len(items), shape.history_days)
    history = replenish(daily, _shelf(items, suppliers), FIRST_DAY.weekday())
    items["on_hand"] = history.on_hand_at_close[:, -1]
    return World(shape, items, suppliers, sales, _movements(history))


def _sales(sold: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Receipt lines of the chosen pairs, with the item number (row of `chosen`) in place of the two ids."""
    numbered = chosen[["store_id", "product_id"]].assign(item=np.arange(len(chosen), dtype=np.int32))
    lines = sold.merge(numbered, on=["store_id", "product_id"], how="inner").sort_values(
        ["sold_at", "basket_id", "product_id"], kind="stable"
    )
    lines = lines[lines["day"] <= (LAST_DAY - FIRST_DAY).days]
    return pd.DataFrame(
        {
            "item": lines["item"].to_numpy(np.int32),
            "day": lines["day"].to_numpy(np.int16),
            "quantity": lines["quantity"].to_numpy(np.int16),
            # The amount is for the line and in whole cents; the price per unit keeps four decimals, as the contract does.
            "unit_price_e4": np.rint(lines["sales_value"].to_numpy() * 100).astype(np.int64)
            * 100
            // lines["quantity"].to_numpy(np.int64),
            "promotion": (lines["retail_disc"] > 0).to_numpy(),
            "sold_at": ((lines["sold_at"] - pd.Timestamp(0)) // pd.Timedelta(seconds=1)).to_numpy(np.int64),
            "basket_id": lines["basket_id"].to_numpy(np.int64),
        }
    )


def _master_data(
    chosen: pd.DataFrame, sales: pd.DataFrame, product_frame: pd.DataFrame, shape: Shape
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Items with their terms, and the suppliers they name."""
    past = sales[sales["day"] < shape.history_days]
    by_item = past.groupby("item")
    units = by_item["quantity"].sum().reindex(range(len(chosen)), fill_value=0).to_numpy(np.float64)
    facts = chosen.assign(
        units_per_day=units / shape.history_days,
        price_e4=by_item["unit_price_e4"].median().reindex(range(len(chosen))).to_numpy(),
    ).join(product_frame, on="product_id")
    # One product has one price and one set of terms in all stores: those of its median store.
    grouped = facts.groupby("product_id")
    price_of, pace_of = (
        cast(dict[int, float], grouped["price_e4"].median().to_dict()),
        cast(dict[int, float], grouped["units_per_day"].mean().to_dict()),
    )
    products_of = facts.groupby(["manufacturer_id"])["product_id"].nunique()
    classes = _abc(facts["product_id"], units * facts["price_e4"].to_numpy())

    suppliers: dict[str, Supplier] = {}
    rows = []
    for fact in rows_of(facts):
        price = (Decimal(int(price_of[fact["product_id"]])) / 10_000).quantize(Decimal("0.01"))
        habit = habit_of(fact["department"], str(fact["product_category"]))
        supplier = supplier_of(int(fact["manufacturer_id"]), habit, int(products_of[fact["manufacturer_id"]]))
        suppliers[supplier.supplier] = supplier
        terms = terms_of(int(fact["product_id"]), supplier, habit, price, pace_of[fact["product_id"]])
        rows.append(
            {
                "sku": str(fact["product_id"]),
                "location": str(fact["store_id"]),
                "name": _name(fact["product_type"], fact["package_size"], fact["brand"]),
                "category": _words(fact["product_category"]),
                "department": habit.title,
                "brand": "Own brand" if fact["brand"] == "Private" else f"Maker {fact['manufacturer_id']}",
                "price": f"{max(price, Decimal('0.01')):.2f}",
                "abc_class": classes[fact["product_id"]],
                "supplier": terms.supplier,
                "lead_time_days": terms.lead_time_days,
                "unit_cost": f"{terms.unit_cost:.2f}",
                "pack": terms.pack,
                "moq": terms.moq,
                "shelf_life_days": terms.shelf_life_days or 0,
                "units_per_day": fact["units_per_day"],
            }
        )
    supplier_rows = [
        {
            "supplier": each.supplier,
            "name": each.name,
            "lead_time_days": each.lead_time_days,
            "order_weekdays": "".join(map(str, each.order_weekdays)),
            "minimum_order_value": "" if each.minimum_order_value is None else f"{each.minimum_order_value:.2f}",
        }
        for _, each in sorted(suppliers.items())
    ]
    return pd.DataFrame(rows), pd.DataFrame(supplier_rows)


def _abc(product_ids: "pd.Series[int]", revenue: NDArray[np.float64]) -> dict[int, str]:
    """A for the products that make the first 80 % of revenue, B for the next 15 %, C for the rest."""
    by_product = (
        pd.Series(revenue, index=product_ids).groupby(level=0).sum().sort_values(ascending=False, kind="stable")
    )
    before = (by_product.cumsum() - by_product) / by_product.sum()
    return {
        cast(int, product): "A" if passed < 0.80 else "B" if passed < 0.95 else "C"
        for product, passed in before.items()
    }


def _words(text: object) -> str:
    """The data's capitals as a person would write them."""
    words = " ".join(str(text).split()) if isinstance(text, str) and text.strip() else "Unnamed"
    return words[:1] + words[1:].lower()


def _name(product_type: object, package_size: object, brand: object) -> str:
    parts = [_words(product_type)]
    if isinstance(package_size, str) and package_size.strip():
        parts.append(package_size.strip().lower())
    if brand == "Private":
        parts.append("own brand")
    return ", ".join(parts)


def _daily_units(sales: pd.DataFrame, items: int, days: int) -> NDArray[np.int64]:
    """Units sold, items x days of the history."""
    past = sales[sales["day"] < days]
    daily = np.zeros((items, days), dtype=np.int64)
    np.add.at(daily, (past["item"].to_numpy(), past["day"].to_numpy()), past["quantity"].to_numpy())
    return daily


def _shelf(items: pd.DataFrame, suppliers: pd.DataFrame) -> Shelf:
    weekdays = {row["supplier"]: [str(day) in row["order_weekdays"] for day in range(7)] for row in rows_of(suppliers)}
    keys = [f"{row['sku']}/{row['location']}" for row in rows_of(items)]
    return Shelf(
        lead_days=items["lead_time_days"].to_numpy(np.int64),
        pack=items["pack"].to_numpy(np.int64),
        moq=items["moq"].to_numpy(np.int64),
        order_days=np.array([weekdays[supplier] for supplier in items["supplier"]], dtype=np.bool_),
        draw_tight=np.array([share("tight", key) for key in keys]),
        draw_forgotten=np.array([share("forgotten", key) for key in keys]),
    )


def _movements(history: History) -> pd.DataFrame:
    """The opening counts of all items, then every receipt by day and item."""
    items = len(history.opening)
    day, item = np.nonzero(history.received.T)
    return pd.DataFrame(
        {
            "item": np.concatenate([np.arange(items), item]).astype(np.int32),
            "day": np.concatenate([np.zeros(items, np.int64), day]).astype(np.int16),
            "kind": pd.Categorical(["count"] * items + ["receipt"] * len(item), categories=["count", "receipt"]),
            "quantity": np.concatenate([history.opening, history.received[item, day]]).astype(np.int32),
        }
    )
