"""From which items a young item's forecast was borrowed: the evidence that stands beside its number.

Nothing is computed here that the forecast does not use: it starts from `features.levels`, of which this tells the parts.
"""

from dataclasses import dataclass

import numpy as np

from services.forecaster.domain.features import borrowed, window
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.panel import DemandPanel, IntArray
from services.forecaster.domain.price_bands import BANDS, UNKNOWN
from services.forecaster.domain.series import SHORT_HISTORY_DAYS

EXAMPLES_MAX = 5
THIRDS = ("lowest", "middle", "highest")


@dataclass(frozen=True, slots=True)
class LikeItem:
    """One of those it was borrowed from, and its mean demand a day over the last 91."""

    sku: str
    location: str
    per_day: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of a young item: its category (None: the catalogue names none) and, where prices are known, the third of it by price
    that lent; how many items that were, what they sell a day each on average (`per_day`, of a third mixed with its
    category), and the `share` this has in the level of the forecast. The rest are the `known_days` of its own. `examples`:
    those that weigh most."""

    category: str | None
    price_third: str | None
    items: int
    per_day: float
    share: float
    known_days: int
    examples: tuple[LikeItem, ...]


def likenesses(frame: Frame, origin: int, rows: IntArray) -> dict[int, Likeness]:
    """By row of the frame, for those of `rows` of which less than a quarter is known at the end of column `origin` and that
    have like items to borrow from. The same reading as `levels`: only days up to the origin."""
    panel = frame.panel
    known = (~np.isnan(panel.demand[rows, : origin + 1])).sum(axis=1)
    young = rows[known < SHORT_HISTORY_DAYS]
    if not len(young):
        return {}
    days_of = dict(zip(rows.tolist(), known.tolist(), strict=True))
    like, share = borrowed(panel, origin)
    lenders = _Lenders(panel, origin)
    out = {}
    for row in young.tolist():
        count, most, third = lenders.of(row)
        if not count:
            continue
        named = tuple(LikeItem(frame.items[one].sku, frame.items[one].location, lenders.per_day(one)) for one in most)
        told = float(like[row]), float(share[row]), int(days_of[row])
        out[row] = Likeness(frame.items[row].category, third, count, *told, named)
    return out


class _Lenders:
    """Who lends to whom; each group is looked at once, because in a tenant's first weeks all its items are young."""

    def __init__(self, panel: DemandPanel, origin: int) -> None:
        self._panel = panel
        self._units, self._observed = window(panel, origin, SHORT_HISTORY_DAYS)
        self._found: dict[tuple[bool, int], tuple[int, list[int]]] = {}

    def per_day(self, row: int) -> float:
        """Mean demand a day of what is known of the quarter."""
        return float(self._units[row] / self._observed[row])

    def of(self, row: int) -> tuple[int, list[int], str | None]:
        """How many others of its third by price, or of its category, a day of the quarter is known of; those that weigh
        most; which third it is."""
        bands = self._panel.price_band
        if bands.size and bands[row] != UNKNOWN:
            count, most = self._others(row, by_price=True)
            if count:
                return count, most, THIRDS[int(bands[row]) % BANDS]
        return *self._others(row, by_price=False), None

    def _others(self, row: int, *, by_price: bool) -> tuple[int, list[int]]:
        groups = self._panel.price_band if by_price else self._panel.category
        key = by_price, int(groups[row])
        if key not in self._found:
            mine = np.flatnonzero((groups == groups[row]) & (self._observed > 0))
            most = mine[np.argsort(-self._units[mine], kind="stable")][: EXAMPLES_MAX + 1].tolist()
            self._found[key] = len(mine), most
        count, most = self._found[key]
        return count - int(self._observed[row] > 0), [one for one in most if one != row][:EXAMPLES_MAX]
