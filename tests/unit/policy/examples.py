"""Evidence to plan from: one plain item, and how it may differ."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.policy.domain.evidence import Evidence, Forecast, Item, OpenOrder, Policy, Stock, Terms, pack_integers
from services.policy.domain.lead_times import Deliveries
from services.policy.domain.parameters import Parameters

DAY = date(2017, 11, 5)


def forecast_of(daily: float, **changes: Any) -> Forecast:
    """A forecast of `daily` units a day whose spread grows like that of a counting process."""
    mean = np.full(DAYS, round(daily * 10_000))
    levels = np.asarray(LEVELS)
    rows = [daily * days + 2.0 * (levels - 0.5) * (daily * days) ** 0.5 * 1.7 for days in HORIZONS_DAYS]
    quantiles = np.maximum.accumulate(np.maximum(np.rint(np.asarray(rows) * 100), 0), axis=0)
    made = Forecast("f1", DAY, Decimal("0.9"), (), "lightgbm", "m1", pack_integers(mean), pack_integers(quantiles))
    return replace(made, **changes)


STOCK = Stock(Decimal(4), Decimal(0), Decimal(0), 7)
ITEM = Item("each", Decimal("3.00"), "USD", None, "B")
TERMS = Terms("SUP", 3, Decimal(0), Decimal("2.00"), "USD", Decimal(6), Decimal(6))
POLICY = Policy("default", 1, Parameters())
PLAIN = Evidence("acme", "A", "L1", DAY, STOCK, (), forecast_of(2.0), ITEM, TERMS, POLICY)


def with_(evidence: Evidence = PLAIN, **parts: dict[str, Any]) -> Evidence:
    """Evidence with fields of its parts changed: with_(terms={"pack": None}, parameters={"gmroi_minimum": Decimal(2)})."""
    parameters = parts.pop("parameters", None)
    if parameters is not None:
        rules = replace(evidence.policy.parameters, **parameters)
        evidence = replace(evidence, policy=replace(evidence.policy, parameters=rules))
    changed = {name: replace(getattr(evidence, name), **fields) for name, fields in parts.items()}
    return replace(evidence, **changed)


def cents(low: str, high: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=2)


LATENESS = st.lists(st.integers(-5, 40), max_size=6).map(tuple)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Any item that might be planned, good or odd."""
    daily = draw(st.sampled_from([0.0, 0.02, 0.14, 1.0, 7.3, 120.5]))
    orders = tuple(
        OpenOrder(
            f"O{index}", draw(cents("1", "90")), date(2017, 11, draw(st.integers(1, 30))), status, draw(st.booleans())
        )
        for index, status in enumerate(draw(st.lists(st.sampled_from(["approved", "confirmed", "failed"]), max_size=3)))
    )
    kilograms = draw(st.booleans())
    return Evidence(
        tenant="acme",
        sku=draw(st.sampled_from(["A", "B", "Ü-7"])),
        location="L1",
        as_of=draw(st.sampled_from([DAY, date(2017, 11, 8)])),
        stock=Stock(draw(cents("-20", "300")), draw(cents("0", "9")), draw(cents("0", "9")), draw(st.integers(0, 999))),
        open_orders=orders,
        forecast=forecast_of(
            daily,
            confidence=draw(cents("0", "1")),
            flags=draw(st.sampled_from([(), ("spike",), ("new_item",)])),
        ),
        item=Item(
            "kg" if kilograms else "each",
            draw(st.none() | cents("0.50", "30")),
            "USD",
            draw(st.none() | st.integers(1, 60)),
            draw(st.sampled_from([None, "A", "B", "C"])),
            xyz_class=draw(st.sampled_from([None, "X", "Y", "Z"])),
        ),
        terms=Terms(
            "SUP",
            draw(st.integers(0, 20)),
            Decimal(draw(st.sampled_from(["0", "0.5", "2.25"]))),
            draw(cents("0.10", "20")),
            "USD",
            draw(st.none() | cents("0", "50")),
            draw(st.sampled_from([None, Decimal(1), Decimal(6), Decimal("2.5")])),
            order_weekdays=draw(st.sampled_from([(), (0,), (1, 4)])),
            receipt_weekdays=draw(st.sampled_from([(), (2,), (0, 3)])),
            price_breaks=draw(st.sampled_from([(), ((Decimal(0), Decimal("2.00")), (Decimal(24), Decimal("1.50")))])),
            discount=draw(st.sampled_from(["all_units", "incremental"])),
            cut_off=draw(st.sampled_from([None, "12:00"])),
        ),
        local_time=draw(
            st.sampled_from([None, *map(datetime.fromisoformat, ("2017-11-06T11:00", "2017-11-08T12:00:01"))])
        ),
        deliveries=draw(st.none() | st.builds(Deliveries, LATENESS, LATENESS)),
        policy=Policy(
            "default", 3, Parameters(service_kind=draw(st.sampled_from(["cycle_service", "fill_rate", "weighed"])))
        ),
    )
