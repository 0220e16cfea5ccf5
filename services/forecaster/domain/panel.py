"""The demand frame: one row per item, one column per calendar day (or week), and what is known about each item.

Everything downstream (features, training rows, calibration, baselines) reads this one array, so a year of 3,000
items is 9 MB and every feature is a column operation instead of a loop over series.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


class PanelRefusal(ValueError):
    """The frame cannot be built; args are (code, explanation)."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """A public holiday of a location; `was_shut` says whether its doors were (None: yet to come, or nothing shows it)."""

    column: int
    names: frozenset[str]
    was_shut: bool | None


@dataclass(frozen=True, slots=True)
class ToldClosure:
    """Columns `first` to `last` on which a location keeps its doors shut, as was told in the column `told`."""

    first: int
    last: int
    told: int


@dataclass(frozen=True, slots=True)
class DemandPanel:
    """Demand of many items on one calendar of equal periods: days, or weeks where `step_days` is 7.

    `demand[i, d]` is the demand of item i in the period that starts `d * step_days` after `first_day`, in stocking units. NaN means *not known*: before
    the item's first record, or a day on which a stock-out hid the demand, or a value kept out by the anomaly rule.
    A day without a sale while the item was on sale is 0, never NaN. `location`, `category` and `product` are group codes
    (equal numbers, same group; -1 = unknown). `known[i, d, r]` holds regressors that are known ahead (a promotion
    calendar): the columns may reach beyond the last day of demand; NaN where not known.
    """

    item_ids: tuple[str, ...]
    first_day: date
    demand: FloatArray
    location: IntArray
    category: IntArray
    product: IntArray
    known_names: tuple[str, ...] = ()
    known: NDArray[Any] = field(default_factory=lambda: np.zeros((0, 0, 0)))
    step_days: int = 1
    # The column at whose end a cell of `known` was told; empty: all of it was known from the beginning, as in a file.
    known_since: NDArray[Any] = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.int64))
    # By location code, in order of days: the public holidays of the place, past and ahead (see `closures`).
    holidays: Mapping[int, tuple[Holiday, ...]] = field(default_factory=dict)
    # By location code: when it was told to be shut, whatever the day of the year (see `closures`).
    told_closures: Mapping[int, tuple[ToldClosure, ...]] = field(default_factory=dict)
    # Third of its category by price (see `price_bands`), -1 = price unknown; empty: no price is known of anybody.
    price_band: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        items = len(self.item_ids)
        if self.demand.ndim != 2 or self.demand.shape[0] != items:
            raise PanelRefusal("panel_shape", f"{self.demand.shape=} does not fit {items} items")
        if not self.location.shape == self.category.shape == self.product.shape == (items,):
            raise PanelRefusal("panel_shape", "location, category and product need one code per item")
        if self.known_names and (self.known.shape[0] != items or self.known.shape[2] != len(self.known_names)):
            raise PanelRefusal("panel_shape", f"{self.known.shape=} does not fit {items} items and {self.known_names=}")
        if np.isinf(self.demand).any():
            raise PanelRefusal("demand_infinite", "a daily demand is infinite; check the quantities of the events")

    @property
    def days(self) -> int:
        """Number of columns: days of a daily frame, weeks of a weekly one."""
        return int(self.demand.shape[1])

    @property
    def last_day(self) -> date:
        return self.day(self.days - 1)

    def column(self, day: date) -> int:
        """Column of a calendar day; may lie outside the frame (a day of the horizon, for instance)."""
        return (day - self.first_day).days // self.step_days

    def day(self, column: int) -> date:
        return self.first_day + timedelta(days=column * self.step_days)

    def span(self, days: int) -> int:
        """How many columns cover so many days; at least one."""
        return max(1, round(days / self.step_days))

    def until(self, column: int) -> "DemandPanel":
        """The frame as it was known at the end of `column`: later days are not there at all."""
        return replace(self, demand=self.demand[:, : column + 1])

    def until_with_known(self, column: int, known_until: int) -> "DemandPanel":
        """As `until`, with the regressors cut too: what they say after `known_until` is not there either."""
        shorter = self.until(column)
        if not self.known_names:
            return shorter
        ahead = slice(0, known_until + 1)
        since = self.known_since[:, ahead] if self.known_since.size else self.known_since
        return replace(shorter, known=self.known[:, ahead], known_since=since)

    def take(self, rows: IntArray) -> "DemandPanel":
        """The same days for some of the items, in the order given."""
        return replace(
            self,
            item_ids=tuple(self.item_ids[row] for row in rows.tolist()),
            demand=self.demand[rows],
            location=self.location[rows],
            category=self.category[rows],
            product=self.product[rows],
            known=self.known[rows] if self.known_names else self.known,
            known_since=self.known_since[rows] if self.known_since.size else self.known_since,
            price_band=self.price_band[rows] if self.price_band.size else self.price_band,
        )

    def known_at(self, origin: int, index: int, columns: slice) -> FloatArray:
        """One regressor over some columns, as it was known at the end of column `origin`: 0 where it was told later."""
        values = np.asarray(self.known[:, columns, index], dtype=np.float64)
        if not self.known_since.size:
            return values
        return np.where(self.known_since[:, columns, index] <= origin, values, 0.0)


def mask_censored(demand: FloatArray, censored: BoolArray) -> tuple[FloatArray, IntArray]:
    """Demand with stock-out days unknown, and how many days that hid per item.

    Sales on a day without stock are a lower bound of demand, not demand; averaging them in teaches the model the
    shelf's emptiness. Masking (rather than imputing) keeps every number in the frame an observed one.
    """
    masked = np.where(censored, np.nan, demand)
    return masked, censored.sum(axis=1).astype(np.int64)


def start_at_first_sale(demand: FloatArray) -> FloatArray:
    """Days before an item's first positive demand become unknown: zero there means "not listed", not "nobody came".

    An item that never sold keeps its zeros: for it, they are all that is known.
    """
    positive = np.nan_to_num(demand) > 0
    first = np.where(positive.any(axis=1), positive.argmax(axis=1), 0)
    before = np.arange(demand.shape[1])[None, :] < first[:, None]
    return np.where(before, np.nan, demand)
