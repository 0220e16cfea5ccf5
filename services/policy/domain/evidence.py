"""Everything a recommendation is computed from, as frozen records, and their one canonical text."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from services.policy.domain.lead_times import Deliveries
from services.policy.domain.numbers import plain
from services.policy.domain.parameters import Parameters, parse_parameters

# Changes whenever the same evidence would give another answer; an old recommendation names the one it was made with.
CODE_VERSION = "cascade-1"
# One encoder for all: making one costs as much as a small document.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


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
    `substitute` (code: the product that stands in); units: what the run chose to move; other: the other side's evidence."""

    kind: str
    code: str
    units: Decimal = Decimal(0)
    other: "Evidence | None" = None


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


def pack_integers(values: object) -> bytes:
    """Whole numbers (nested sequences are flattened row by row) as little-endian 64-bit integers."""
    return np.asarray(values, dtype="<i8").tobytes()


def canonical(document: Mapping[str, Any]) -> bytes:
    """One text per content: sorted names, no spaces, UTF-8 (RFC 8785 for documents without floats)."""
    return _ENCODER.encode(document).encode()


def sha256_of(document: Mapping[str, Any]) -> str:
    """The SHA-256 of a document's canonical text, in hex."""
    return hashlib.sha256(canonical(document)).hexdigest()


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def document_of(evidence: Evidence) -> dict[str, Any]:
    """Evidence as JSON values: decimals and dates as text, integers as they are, no floats.

    What was added after the first version is there only when it says something, so that older evidence keeps its bytes.
    """
    stock, forecast, item, terms, hold = evidence.stock, evidence.forecast, evidence.item, evidence.terms, evidence.hold
    return {
        "tenant": evidence.tenant,
        "sku": evidence.sku,
        "location": evidence.location,
        "as_of": evidence.as_of.isoformat() if evidence.as_of else None,
        "code_version": CODE_VERSION,
        "stock": {
            "on_hand": plain(stock.on_hand),
            "reserved": plain(stock.reserved),
            "backorders": plain(stock.backorders),
            "movements": stock.movements,
        },
        "open_orders": [
            {
                "order_id": one.order_id,
                "quantity": plain(one.quantity),
                "arrive_on": one.arrive_on.isoformat(),
                "status": one.status,
                "is_short": one.is_short,
            }
            for one in evidence.open_orders
        ],
        "forecast": None
        if forecast is None
        else {
            "forecast_id": forecast.forecast_id,
            "origin": forecast.origin.isoformat(),
            "confidence": plain(forecast.confidence),
            "flags": list(forecast.flags),
            "strategy": forecast.strategy,
            "model_id": forecast.model_id,
            "mean_e4": np.frombuffer(forecast.mean_e4, dtype="<i8").tolist(),
            "quantiles_e2": np.frombuffer(forecast.quantiles_e2, dtype="<i8").tolist(),
        },
        "item": None
        if item is None
        else {
            "unit": item.unit,
            "price": _optional(item.price),
            "currency": item.currency,
            "shelf_life_days": item.shelf_life_days,
            "abc_class": item.abc_class,
            "active": item.active,
        }
        | ({} if item.xyz_class is None else {"xyz_class": item.xyz_class}),
        "terms": None if terms is None else _terms_document(terms),
        "policy": {
            "scope": evidence.policy.scope,
            "version": evidence.policy.version,
            "parameters": evidence.policy.parameters.as_evidence(),
            "refusal": evidence.policy.refusal,
        },
        "hold": None if hold is None else {"reason": hold.reason, "until": hold.until.isoformat()},
    } | _added(evidence)


def _added(evidence: Evidence) -> dict[str, Any]:
    added: dict[str, Any] = {}
    one = evidence.allotment
    if one is not None:
        numbers = {"quantity": plain(one.quantity), "shadow_price": plain(one.shadow_price), "rank": one.rank}
        added["allotment"] = numbers | {"resource": one.resource}
    if evidence.round:
        added["round"] = evidence.round
    if evidence.signals:
        added["signals"] = [_signal_document(each) for each in evidence.signals]
    if evidence.deliveries is not None:
        added["deliveries"] = evidence.deliveries.document()
    about = evidence.about
    if about is not None:
        other = None if about.other is None else document_of(about.other)
        added["about"] = {"kind": about.kind, "code": about.code, "units": plain(about.units), "other": other}
    return added


def _signal_document(one: Signal) -> dict[str, Any]:
    days = {"starts_on": one.starts_on.isoformat(), "ends_on": one.ends_on.isoformat()}
    numbers = {"strength": plain(one.strength), "probability": plain(one.probability)}
    return {"signal_id": one.signal_id, "kind": one.kind} | numbers | days


def _signal_of(document: Mapping[str, Any]) -> Signal:
    return Signal(
        document["signal_id"],
        document["kind"],
        Decimal(document["strength"]),
        Decimal(document["probability"]),
        date.fromisoformat(document["starts_on"]),
        date.fromisoformat(document["ends_on"]),
    )


def _allotment_of(document: Mapping[str, Any] | None) -> Allotment | None:
    if document is None:
        return None
    price = Decimal(document["shadow_price"])
    return Allotment(Decimal(document["quantity"]), document["resource"], price, document["rank"])


def _terms_document(terms: Terms) -> dict[str, Any]:
    return {
        "supplier": terms.supplier,
        "lead_time_days": terms.lead_time_days,
        "lead_time_sd_days": plain(terms.lead_time_sd_days),
        "unit_cost": _optional(terms.unit_cost),
        "currency": terms.currency,
        "moq": _optional(terms.moq),
        "pack": _optional(terms.pack),
        "price_breaks": [[plain(quantity), plain(cost)] for quantity, cost in terms.price_breaks],
        "discount": terms.discount,
        "order_weekdays": list(terms.order_weekdays),
        "receipt_weekdays": list(terms.receipt_weekdays),
        "closed_on": [day.isoformat() for day in terms.closed_on],
    }


def evidence_of(document: Mapping[str, Any]) -> Evidence:
    """Evidence from its document; the inverse of `document_of`. Raises KeyError, ValueError when it is not one."""
    forecast, item, terms, hold = (document[name] for name in ("forecast", "item", "terms", "hold"))
    stock, policy = document["stock"], document["policy"]
    return Evidence(
        tenant=document["tenant"],
        sku=document["sku"],
        location=document["location"],
        as_of=_date(document["as_of"]),
        stock=Stock(
            Decimal(stock["on_hand"]), Decimal(stock["reserved"]), Decimal(stock["backorders"]), stock["movements"]
        ),
        open_orders=tuple(
            OpenOrder(
                one["order_id"],
                Decimal(one["quantity"]),
                date.fromisoformat(one["arrive_on"]),
                one["status"],
                one["is_short"],
            )
            for one in document["open_orders"]
        ),
        forecast=None
        if forecast is None
        else Forecast(
            forecast_id=forecast["forecast_id"],
            origin=date.fromisoformat(forecast["origin"]),
            confidence=Decimal(forecast["confidence"]),
            flags=tuple(forecast["flags"]),
            strategy=forecast["strategy"],
            model_id=forecast["model_id"],
            mean_e4=pack_integers(forecast["mean_e4"]),
            quantiles_e2=pack_integers(forecast["quantiles_e2"]),
        ),
        item=None
        if item is None
        else Item(
            unit=item["unit"],
            price=_decimal(item["price"]),
            currency=item["currency"],
            shelf_life_days=item["shelf_life_days"],
            abc_class=item["abc_class"],
            active=item["active"],
            xyz_class=item.get("xyz_class"),
        ),
        terms=None if terms is None else _terms_of(terms),
        policy=Policy(policy["scope"], policy["version"], parse_parameters(policy["parameters"]), policy["refusal"]),
        hold=None if hold is None else Hold(hold["reason"], date.fromisoformat(hold["until"])),
        allotment=_allotment_of(document.get("allotment")),
        round=int(document.get("round", 0)),
        signals=tuple(_signal_of(one) for one in document.get("signals", ())),
        deliveries=Deliveries.of(document["deliveries"]) if "deliveries" in document else None,
        about=_about_of(document["about"]) if "about" in document else None,
    )


def _about_of(document: Mapping[str, Any]) -> About:
    other = None if document["other"] is None else evidence_of(document["other"])
    return About(document["kind"], document["code"], Decimal(document["units"]), other)


def _terms_of(document: Mapping[str, Any]) -> Terms:
    return Terms(
        supplier=document["supplier"],
        lead_time_days=document["lead_time_days"],
        lead_time_sd_days=Decimal(document["lead_time_sd_days"]),
        unit_cost=_decimal(document["unit_cost"]),
        currency=document["currency"],
        moq=_decimal(document["moq"]),
        pack=_decimal(document["pack"]),
        price_breaks=tuple((Decimal(quantity), Decimal(cost)) for quantity, cost in document["price_breaks"]),
        discount=document["discount"],
        order_weekdays=tuple(document["order_weekdays"]),
        receipt_weekdays=tuple(document["receipt_weekdays"]),
        closed_on=tuple(date.fromisoformat(day) for day in document["closed_on"]),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
