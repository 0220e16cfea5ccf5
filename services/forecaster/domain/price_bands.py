"""Which products of a category cost about the same: what a new one is likened to, besides its category."""

import numpy as np

from services.forecaster.domain.panel import FloatArray, IntArray

BANDS = 3
UNKNOWN = -1


def price_bands(category: IntArray, product: IntArray, price: FloatArray) -> IntArray:
    """Group code by item: the third of its category's products, by price, that its own is in; UNKNOWN where its price (NaN)
    or its category's other prices are not known. Empty where no price is known at all.

    A product counts once, in however many locations it is sold.
    """
    if np.isnan(price).all():
        return np.zeros(0, dtype=np.int64)
    out = np.full(len(price), UNKNOWN, dtype=np.int64)
    for code in np.unique(category[~np.isnan(price)]).tolist():
        mine = np.flatnonzero((category == code) & ~np.isnan(price))
        _, first = np.unique(product[mine], return_index=True)
        if len(first) < BANDS:
            continue
        edges = np.quantile(price[mine[first]], np.arange(1, BANDS) / BANDS)
        out[mine] = code * BANDS + np.searchsorted(edges, price[mine], side="left")
    return out
