"""From sparse daily records to the frame models read: zeros filled in, hidden and unclosed days unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from services.forecaster.domain.cleaning import ITEMS_AT_ONCE, closed_days, spike_days
from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, IntArray, start_at_first_sale
from services.forecaster.domain.price_bands import price_bands
from services.forecaster.domain.series import CENSORED_LOOK_BACK_DAYS
from services.forecaster.domain.stock import on_hand_at_close, stock_out_days


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item-location: the last closed day of its partition, the first day anything is recorded for it, and its product's
    price per unit, where the catalogue names one."""

    sku: str
    location: str
    partition: int
    category: str | None
    first_on: date
    closed_on: date
    abc_class: str | None = None
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Cells:
    """Sparse values: item number, day (days since 1970-01-01), value."""

    item: IntArray
    day: IntArray
    value: FloatArray

    @staticmethod
    def empty() -> "Cells":
        return Cells(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Records:
    """What the tables hold of one tenant. `left` are units that left the shelf by sales, net of voids and restocked
    returns; `net` other movements; counts with whether they were taken before the day's business."""

    items: tuple[ItemRecord, ...]
    demand: Cells
    left: Cells
    net: Cells
    counted: Cells
    counted_at_opening: BoolArray
    revision: IntArray


@dataclass(frozen=True, slots=True)
class Frame:
    """The panel, with each item's origin column (its last closed day), stock-out mask and quality facts."""

    items: tuple[ItemRecord, ...]
    panel: DemandPanel
    origin: IntArray
    censored: BoolArray
    negative_days: IntArray
    revision: IntArray
    # Days kept out of training as impossible values (`cleaning.spike_days`), per item; None: nothing was looked at.
    spike_days: IntArray | None = None
    # By location code the columns on which it sold nothing at all against its habit (`cleaning.closed_days`).
    closed_days: Mapping[int, IntArray] = field(default_factory=dict)

    def has_spike(self, row: int) -> bool:
        """Whether a day of the item was kept out of training as an impossible value."""
        return self.spike_days is not None and bool(self.spike_days[row] > 0)

    def has_gap(self, row: int, origin: int) -> bool:
        """Whether nothing at all came from the item's location on the day of the origin, and neither a holiday nor anybody's
        word explains it: a till that sent nothing looks like this."""
        code = int(self.panel.location[row])
        if origin not in self.closed_days.get(code, ()):
            return False
        told = any(one.first <= origin <= one.last for one in self.panel.told_closures.get(code, ()))
        return not told and all(one.column != origin for one in self.panel.holidays.get(code, ()))

    def censored_share(self, origin: int) -> FloatArray:
        """Share of stock-out days among the last eight weeks up to `origin`."""
        part = self.censored[:, max(0, origin - CENSORED_LOOK_BACK_DAYS + 1) : origin + 1]
        return part.mean(axis=1) if part.shape[1] else np.zeros(len(self.items))

    def recent_demand(self, origin: int, days: int = 28) -> FloatArray:
        """Known demand of the last days up to `origin`, units."""
        return np.asarray(np.nansum(self.panel.demand[:, max(0, origin - days + 1) : origin + 1], axis=1))


class FrameBuilder:
    """A frame filled portion by portion of its items, so that beside the panel only one portion's records are held.

    Stock levels need counts from before the window, so the rows are as long as what is known of anybody until the end.
    """

    def __init__(self, items: Sequence[ItemRecord], *, history_days: int) -> None:
        self.items = tuple(items)
        self._number = {(item.sku, item.location): row for row, item in enumerate(self.items)}
        self._start = min(item.first_on for item in self.items)
        self._days = (max(item.closed_on for item in self.items) - self._start).days + 1
        self._cut = max(0, self._days - history_days)
        self._demand = np.full((len(self.items), self._days), np.nan)
        self._censored = np.zeros((len(self.items), self._days), dtype=np.bool_)
        self._negative = np.zeros(len(self.items), dtype=np.int64)
        self._revision = np.zeros(len(self.items), dtype=np.int64)

    def add(self, records: Records) -> None:
        """Take in everything that is known of some of the items."""
        items, start, days = records.items, self._start, self._days
        demand = _spread(records.demand, len(items), start, days)
        closed = np.array([(item.closed_on - start).days for item in items], dtype=np.int64)
        first = np.array([(item.first_on - start).days for item in items], dtype=np.int64)
        column = np.arange(days)
        unknown = (column[None, :] > closed[:, None]) | (column[None, :] < first[:, None])
        censored = _censored(records, len(items), start, days) & ~unknown
        rows = np.array([self._number[(item.sku, item.location)] for item in items], dtype=np.int64)
        # Facts that flags are made of count inside the window only: an old mistake must not flag an item for ever.
        self._negative[rows] = ((demand < 0) & ~unknown)[:, self._cut :].sum(axis=1)
        self._demand[rows] = np.where(unknown | censored, np.nan, np.maximum(demand, 0.0))
        self._censored[rows] = censored
        self._revision[rows] = records.revision

    def frame(self) -> Frame:
        """Keep out what says nothing about demand, and hand over; nothing can be added afterwards."""
        place = codes([item.location for item in self.items])
        closed = closed_days(self._demand, place)
        for code, hidden in closed.items():
            self._demand[np.ix_(np.flatnonzero(place == code), hidden)] = np.nan
        spikes = np.zeros(len(self.items), dtype=np.int64)
        for start in range(0, len(self.items), ITEMS_AT_ONCE):
            part = slice(start, start + ITEMS_AT_ONCE)
            beyond = spike_days(self._demand[part])
            spikes[part] = beyond[:, self._cut :].sum(axis=1)
            self._demand[part] = start_at_first_sale(np.where(beyond, np.nan, self._demand[part]))
        cut = self._cut
        category, product = codes([item.category for item in self.items]), codes([item.sku for item in self.items])
        prices = np.array([np.nan if item.price is None else item.price for item in self.items])
        panel = DemandPanel(
            tuple(f"{item.sku}/{item.location}" for item in self.items),
            self._start + timedelta(days=cut),
            self._demand[:, cut:],
            place,
            category,
            product,
            price_band=price_bands(category, product, prices),
        )
        origin = np.array([(item.closed_on - self._start).days for item in self.items], dtype=np.int64) - cut
        return Frame(
            self.items, panel, origin, self._censored[:, cut:], self._negative, self._revision, spikes,
            {code: hidden - cut for code, hidden in closed.items()},
        )  # fmt: skip


def build(records: Records, *, history_days: int) -> Frame | None:
    """The frame of everything that is closed, at most `history_days` long, from records in one piece; None when nothing
    is."""
    if not records.items:
        return None
    builder = FrameBuilder(records.items, history_days=history_days)
    builder.add(records)
    return builder.frame()


def codes(names: Sequence[str | None]) -> IntArray:
    """Group numbers in the order of the sorted names, so that they do not depend on the order of items."""
    number = {name: position for position, name in enumerate(sorted({name or "" for name in names}))}
    return np.array([number[name or ""] for name in names], dtype=np.int64)


def _censored(records: Records, items: int, start: date, days: int) -> BoolArray:
    if not len(records.counted.item):
        return np.zeros((items, days), dtype=np.bool_)
    net = _spread(records.net, items, start, days) - _spread(records.left, items, start, days)
    counted = _spread(records.counted, items, start, days, fill=np.nan)
    flags = Cells(records.counted.item, records.counted.day, records.counted_at_opening.astype(np.float64))
    at_opening = _spread(flags, items, start, days) > 0
    return stock_out_days(on_hand_at_close(net, counted, at_opening))


def _spread(cells: Cells, items: int, start: date, days: int, *, fill: float = 0.0) -> FloatArray:
    """Sparse cells as a full table; days outside it are left out (a future day is not closed yet)."""
    out = np.full((items, days), fill)
    column = cells.day - (start - date(1970, 1, 1)).days
    inside = (column >= 0) & (column < days)
    out[cells.item[inside], column[inside]] = cells.value[inside]
    return out
