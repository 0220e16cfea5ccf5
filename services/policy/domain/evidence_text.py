"""Evidence as its one canonical text, and back."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import orjson

from services.policy.domain.evidence import (
    About,
    Allotment,
    Evidence,
    Forecast,
    Hold,
    Item,
    OpenOrder,
    Policy,
    Signal,
    Stock,
    Terms,
    pack_integers,
)
from services.policy.domain.lead_times import Deliveries
from services.policy.domain.numbers import plain
from services.policy.domain.parameters import parse_parameters

# Changes whenever the same evidence would give another answer; an old recommendation names the one it was made with.
CODE_VERSION = "cascade-1"


def canonical(document: Mapping[str, Any]) -> bytes:
    """One text per content: sorted names, no spaces, UTF-8 (RFC 8785 for documents without floats)."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def canonical_with(document: Mapping[str, Any], evidence_text: bytes) -> bytes:
    """`canonical` of a document whose evidence is written already: half of a recommendation is its evidence."""
    return canonical({**document, "evidence": orjson.Fragment(evidence_text)})


def sha256_of(document: Mapping[str, Any]) -> str:
    """The SHA-256 of a document's canonical text, in hex."""
    return sha256_of_text(canonical(document))


def sha256_of_text(text: bytes) -> str:
    """The SHA-256 of a text, in hex."""
    return hashlib.sha256(text).hexdigest()


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
    if evidence.local_time is not None:
        added["local_time"] = evidence.local_time.isoformat(timespec="seconds")
    about = evidence.about
    if about is not None:
        other = None if about.other is None else document_of(about.other)
        added["about"] = {"kind": about.kind, "code": about.code, "units": plain(about.units), "other": other}
        if about.ratio != 1 or about.covered:
            added["about"] |= {"ratio": plain(about.ratio), "covered": plain(about.covered)}
        if about.claimed:
            added["about"]["claimed"] = plain(about.claimed)
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
    } | ({} if terms.cut_off is None else {"cut_off": terms.cut_off})


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
        local_time=datetime.fromisoformat(document["local_time"]) if "local_time" in document else None,
    )


def _about_of(document: Mapping[str, Any]) -> About:
    other = None if document["other"] is None else evidence_of(document["other"])
    added = (
        Decimal(document.get(name, plainly)) for name, plainly in (("ratio", "1"), ("covered", "0"), ("claimed", "0"))
    )
    return About(document["kind"], document["code"], Decimal(document["units"]), other, *added)


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
        cut_off=document.get("cut_off"),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
