"""Everything a recommendation is computed from, as frozen records."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import numpy as np

from services.policy.domain.lead_times import Deliveries
from services.policy.domain.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Stock:
    """The position of an item; `movements` is how many ledger entries it is the sum of (the watermark). Units."""

    on_hand: Decimal
    reserved: Decimal
    backorders: Decimal
    movements: int


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """What is still to come of one order line, and when it is believed to come. `is_short`: less was confirmed."""

    order_id: str
    quantity: Decimal
    arrive_on: date
    status: str
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """A published forecast; the two arrays of its distribution are packed as little-endian 64-bit integers."""

    forecast_id: str
    origin: date
    confidence: Decimal
    flags: tuple[str, ...]
    strategy: str
    model_id: str
    mean_e4: bytes
    quantiles_e2: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """The product; price per unit, shelf life in days from receipt."""

    unit: str
    price: Decimal | None
    currency: str | None
    shelf_life_days: int | None
    abc_class: str | None
    active: bool = True
    xyz_class: str | None = None

    @property
    def class_name(self) -> str:
        """Such as `AX`; without an ABC class an item is planned as B, without an XYZ class as X."""
        return (self.abc_class or "B") + self.xyz_class if self.xyz_class else self.abc_class or "none"


@dataclass(frozen=True, slots=True)
class Terms:
    """How the first supplier delivers; times in days, MOQ and pack in units, weekdays with 0 = Monday."""

    supplier: str
    lead_time_days: int | None
    lead_time_sd_days: Decimal
    unit_cost: Decimal | None
    currency: str | None
    moq: Decimal | None
    pack: Decimal | None
    price_breaks: tuple[tuple[Decimal, Decimal], ...] = ()
    discount: str = "all_units"
    order_weekdays: tuple[int, ...] = ()
    receipt_weekdays: tuple[int, ...] = ()
    closed_on: tuple[date, ...] = ()
    # Until when (HH:MM at the location) an order still counts for its day; None: all day.
    cut_off: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's word that this item is not to be proposed until a business date."""

    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Signal:
    """What may change demand or supply of this item: `strength` multiplies demand (or lead time) with `probability` on the
    days from `starts_on` to `ends_on`, both included."""

    signal_id: str
    kind: str
    strength: Decimal
    probability: Decimal
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Allotment:
    """How much a run lets this item have, in units, when a resource is scarce or an order must be filled up.

    resource: what decided (`cash`, `volume_m3`, `supplier:<code>`, `minimum_order_value`, `truck`, or `none`);
    shadow_price: money one more unit of it would earn; rank: the item's place in the marginal list, from 1.
    """

    quantity: Decimal
    resource: str
    shadow_price: Decimal
    rank: int


@dataclass(frozen=True, slots=True)
class About:
    """What a line beside the item's own order is about. kind: `open_order` (code: the order), `transfer` (code: the sender),
    `substitute` (code: the product it stands in for); units: what the run chose to move; other: the other side's evidence.

    Of a substitute: `ratio` units of it stand in for one, units of the other product are `covered` by approved ones, and of
    what the substitute could spare so many are `claimed` by products that come first.
    """

    kind: str
    code: str
    units: Decimal = Decimal(0)
    other: "Evidence | None" = None
    ratio: Decimal = Decimal(1)
    covered: Decimal = Decimal(0)
    claimed: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Policy:
    """The version of the rules that counts. `refusal` says why they cannot be applied, if they cannot."""

    scope: str
    version: int
    parameters: Parameters
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All inputs of one item's plan. `as_of`: the last closed business date it stands on; None = no day closed yet."""

    tenant: str
    sku: str
    location: str
    as_of: date | None
    stock: Stock
    open_orders: tuple[OpenOrder, ...]
    forecast: Forecast | None
    item: Item | None
    terms: Terms | None
    policy: Policy
    hold: Hold | None = None
    allotment: Allotment | None = None
    # How often a recommendation from the same inputs was decided and taken back: a new one must have a name of its own.
    round: int = 0
    signals: tuple[Signal, ...] = ()
    # How this supplier's orders came to this location; None: nobody keeps count (files), every promise is believed.
    deliveries: Deliveries | None = None
    # None: the item's own order, or why there is none.
    about: About | None = None
    # The newest movement known of the item, or of its location once a cut-off passed there, on the location's clock; told only
    # where the supplier has a cut-off.
    local_time: datetime | None = None


def pack_integers(values: object) -> bytes:
    """Whole numbers (nested sequences are flattened row by row) as little-endian 64-bit integers."""
    return np.asarray(values, dtype="<i8").tobytes()
