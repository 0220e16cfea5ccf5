"""Evidence as its one canonical text, and back."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
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


def canonical_with(document: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    """`canonical` of a document of which some parts are written already, each by its name."""
    return canonical({**document, **{name: orjson.Fragment(text) for name, text in parts.items()}})


def sha256_of(document: Mapping[str, Any]) -> str:
    """The SHA-256 of a document's canonical text, in hex."""
    return sha256_of_text(canonical(document))


def sha256_of_text(text: bytes) -> str:
    """The SHA-256 of a text, in hex."""
    return hashlib.sha256(text).hexdigest()


def document_of(evidence: Evidence) -> dict[str, Any]:
    """Evidence as JSON values: decimals and dates as text, integers as they are, no floats."""
    document: dict[str, Any] = orjson.loads(text_of(evidence))
    return document


def text_of(evidence: Evidence) -> bytes:
    """Evidence as its canonical text.

    Written name by name in their order, not as a mapping that is sorted and dumped: every item that is planned needs it, and
    it takes a third of the time. What was added after the first version is there only when it says something, so that older
    evidence keeps its bytes.
    """
    hold, local_time = evidence.hold, evidence.local_time
    parts = [
        "" if evidence.about is None else f'"about":{_about_text(evidence.about)},',
        "" if evidence.allotment is None else f'"allotment":{_allotment_text(evidence.allotment)},',
        f'"as_of":{_day_text(evidence.as_of)},"code_version":"{CODE_VERSION}",',
        "" if evidence.deliveries is None else f'"deliveries":{_deliveries_text(evidence.deliveries)},',
        f'"forecast":{_forecast_text(evidence.forecast)},',
        '"hold":null,'
        if hold is None
        else f'"hold":{{"reason":{_json(hold.reason)},"until":{_day_text(hold.until)}}},',
        f'"item":{_item_text(evidence.item)},',
        "" if local_time is None else f'"local_time":"{local_time.isoformat(timespec="seconds")}",',
        f'"location":{_word(evidence.location)},"open_orders":{_orders_text(evidence.open_orders)},',
        f'"policy":{_policy_text(evidence.policy)},',
        f'"round":{evidence.round},' if evidence.round else "",
        f'"signals":[{",".join([_signal_text(one) for one in evidence.signals])}],' if evidence.signals else "",
        f'"sku":{_json(evidence.sku)},"stock":{_stock_text(evidence.stock)},"tenant":{_word(evidence.tenant)},',
        f'"terms":{_terms_text(evidence.terms)}',
    ]
    return f"{{{''.join(parts)}}}".encode()


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


# Locations, units, suppliers, calendars: the same in item after item.
_word = lru_cache(maxsize=4_096)(_json)


def _decimal_text(value: Decimal | None) -> str:
    return "null" if value is None else f'"{plain(value)}"'


def _day_text(day: date | None) -> str:
    return "null" if day is None else f'"{day.isoformat()}"'


def _whole_text(number: int | None) -> str:
    return "null" if number is None else str(number)


def _stock_text(stock: Stock) -> str:
    return (
        f'{{"backorders":"{plain(stock.backorders)}","movements":{stock.movements},"on_hand":"{plain(stock.on_hand)}",'
        f'"reserved":"{plain(stock.reserved)}"}}'
    )


def _orders_text(orders: Sequence[OpenOrder]) -> str:
    told = [
        f'{{"arrive_on":"{one.arrive_on.isoformat()}","is_short":{_truth(one.is_short)},"order_id":{_json(one.order_id)},'
        f'"quantity":"{plain(one.quantity)}","status":{_word(one.status)}}}'
        for one in orders
    ]
    return f"[{','.join(told)}]"


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _forecast_text(forecast: Forecast | None) -> str:
    if forecast is None:
        return "null"
    return (
        f'{{"confidence":"{plain(forecast.confidence)}","flags":{_word(forecast.flags)},'
        f'"forecast_id":{_json(forecast.forecast_id)},"mean_e4":{_integers_text(forecast.mean_e4)},'
        f'"model_id":{_word(forecast.model_id)},"origin":"{forecast.origin.isoformat()}",'
        f'"quantiles_e2":{_integers_text(forecast.quantiles_e2)},"strategy":{_word(forecast.strategy)}}}'
    )


def _integers_text(packed: bytes) -> str:
    return orjson.dumps(np.frombuffer(packed, dtype="<i8"), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _item_text(item: Item | None) -> str:
    if item is None:
        return "null"
    computed = "" if item.xyz_class is None else f',"xyz_class":{_word(item.xyz_class)}'
    return (
        f'{{"abc_class":{_word(item.abc_class)},"active":{_truth(item.active)},"currency":{_word(item.currency)},'
        f'"price":{_decimal_text(item.price)},"shelf_life_days":{_whole_text(item.shelf_life_days)},'
        f'"unit":{_word(item.unit)}{computed}}}'
    )


def _terms_text(terms: Terms | None) -> str:
    if terms is None:
        return "null"
    breaks = [f'["{plain(quantity)}","{plain(cost)}"]' for quantity, cost in terms.price_breaks]
    cut_off = "" if terms.cut_off is None else f'"cut_off":{_word(terms.cut_off)},'
    return (
        f'{{"closed_on":{_word(terms.closed_on)},"currency":{_word(terms.currency)},{cut_off}"discount":{_word(terms.discount)},'
        f'"lead_time_days":{_whole_text(terms.lead_time_days)},"lead_time_sd_days":"{plain(terms.lead_time_sd_days)}",'
        f'"moq":{_decimal_text(terms.moq)},"order_weekdays":{_word(terms.order_weekdays)},"pack":{_decimal_text(terms.pack)},'
        f'"price_breaks":[{",".join(breaks)}],"receipt_weekdays":{_word(terms.receipt_weekdays)},'
        f'"supplier":{_word(terms.supplier)},"unit_cost":{_decimal_text(terms.unit_cost)}}}'
    )


@lru_cache(maxsize=256)
def _policy_text(policy: Policy) -> str:
    """All items of a run are planned by the same one."""
    told = {"scope": policy.scope, "version": policy.version, "refusal": policy.refusal}
    return _json(told | {"parameters": policy.parameters.as_evidence()})


@lru_cache(maxsize=4_096)
def _deliveries_text(deliveries: Deliveries) -> str:
    return _json(deliveries.document())


def _allotment_text(one: Allotment) -> str:
    numbers = {"quantity": plain(one.quantity), "shadow_price": plain(one.shadow_price), "rank": one.rank}
    return _json(numbers | {"resource": one.resource})


def _about_text(about: About) -> str:
    other = None if about.other is None else orjson.Fragment(text_of(about.other))
    told = {"kind": about.kind, "code": about.code, "units": plain(about.units), "other": other}
    if about.ratio != 1 or about.covered:
        told |= {"ratio": plain(about.ratio), "covered": plain(about.covered)}
    if about.claimed:
        told["claimed"] = plain(about.claimed)
    return _json(told)


def _signal_text(one: Signal) -> str:
    days = {"starts_on": one.starts_on.isoformat(), "ends_on": one.ends_on.isoformat()}
    numbers = {"strength": plain(one.strength), "probability": plain(one.probability)}
    return _json({"signal_id": one.signal_id, "kind": one.kind} | numbers | days)


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
