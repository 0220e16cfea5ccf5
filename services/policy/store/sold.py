"""What the ledger knows of some items' demand, day by day: for the report that judges weights by it."""

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from kit.database import Transaction

# Closing stock = on hand now less what moved after the day, as the classes are reckoned (`classes.DEMANDED`).
MOVED = """
select l.sku, l.location, l.business_date as day, sum(l.on_hand)::float8 as moved,
       sum(case l.kind when 'sale' then l.quantity when 'void' then -l.quantity else 0 end)::float8 as sold
from unnest($2::text[], $3::text[]) w(sku, location)
join ledger l on l.tenant = $1 and l.sku = w.sku and l.location = w.location and l.business_date >= $4
group by l.sku, l.location, l.business_date
"""
ON_HAND = """
select p.sku, p.location, p.on_hand::float8 as on_hand from unnest($2::text[], $3::text[]) w(sku, location)
join positions p on p.tenant = $1 and p.sku = w.sku and p.location = w.location
"""
SECONDS = 60.0


async def asked_for(
    tx: Transaction, tenant: str, items: Sequence[tuple[str, str]], first: date, last: date
) -> NDArray[np.float64]:
    """(items, days): units sold on each day; on a day that closed with nothing on hand the mean of the item's days with stock,
    where that is more. NaN before an item's first movement, unless it had stock then: nobody asked for it."""
    row_of = {item: row for row, item in enumerate(items)}
    names = [sku for sku, _place in items], [place for _sku, place in items]
    days = (last - first).days + 1
    moved, sold = (
        np.zeros((len(items), days + 1)),
        np.zeros((len(items), days)),
    )  # what moved after the last day: at its end
    is_known = np.zeros((len(items), days), dtype=bool)
    for one in await tx.fetch(MOVED, tenant, *names, first, timeout=SECONDS):
        row, day = row_of[one["sku"], one["location"]], min((one["day"] - first).days, days)
        moved[row, day] += one["moved"]
        if day < days:
            sold[row, day] = max(one["sold"], 0.0)
            is_known[row, day] = True
    on_hand = np.zeros(len(items))
    for one in await tx.fetch(ON_HAND, tenant, *names, timeout=SECONDS):
        on_hand[row_of[one["sku"], one["location"]]] = one["on_hand"]
    return _asked(on_hand, moved, sold, is_known)


def _asked(
    on_hand: NDArray[np.float64], moved: NDArray[np.float64], sold: NDArray[np.float64], is_known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    closing = on_hand[:, np.newaxis] - np.cumsum(moved[:, ::-1], axis=1)[:, ::-1][:, 1:]
    opening = on_hand - moved.sum(axis=1)
    began = np.maximum.accumulate(is_known, axis=1) | (opening > 0)[:, np.newaxis]
    in_stock = began & (closing > 0)
    days = in_stock.sum(axis=1)
    mean = np.where(days > 0, (sold * in_stock).sum(axis=1) / np.maximum(days, 1), 0.0)[:, np.newaxis]
    asked: NDArray[np.float64] = np.where(in_stock, sold, np.maximum(sold, mean))
    return np.where(began, asked, np.nan)
