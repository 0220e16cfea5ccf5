"""Sums of what decisions were worth: every way to cut them adds up to the same totals, to the cent."""

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.domain.decision_values import (
    STATUSES,
    Judged,
    Sum,
    by_month,
    by_person,
    by_reason,
    in_all,
    summed,
)
from tests.examples import examples

money = st.decimals(-10_000, 10_000, places=2)
ADDED = [one.name for one in fields(Sum) if one.name not in ("name", "currency")]
CUTS = [by_person, by_reason, by_month]


@st.composite
def judged(draw: st.DrawFn) -> Judged:
    status = draw(st.sampled_from(STATUSES))
    who, why, month = (draw(st.sampled_from(names)) for names in ("ab", "xyz", ("2017-11", "2017-12", "unknown")))
    currency = draw(st.sampled_from(["USD", "EUR"]))
    if status == "unvalued":
        return Judged(who, why, month, currency, status)
    parts = draw(money), draw(money), draw(money)
    low, high = (
        sorted([draw(money), draw(money)]) if status == "censored" else [sum(parts, Decimal(0)), sum(parts, Decimal(0))]
    )
    return Judged(who, why, month, currency, status, *parts, low=low, high=high)


@pytest.mark.parametrize("cut", CUTS)
@settings(max_examples=examples(100), deadline=None)
@given(lines=st.lists(judged(), max_size=40))
def test_every_cut_adds_up_to_the_totals(cut: Callable[[Judged], str], lines: list[Judged]) -> None:
    totals = {one.currency: one for one in summed(lines, in_all)}
    found = summed(lines, cut)
    assert len({(one.name, one.currency) for one in found}) == len(found)
    for currency, whole in totals.items():
        of_currency = [one for one in found if one.currency == currency]
        assert all(sum(getattr(one, name) for one in of_currency) == getattr(whole, name) for name in ADDED)
        assert whole.lines == sum(line.currency == currency for line in lines)
        assert whole.value == whole.holding + whole.lost_margin + whole.ordering


def test_what_is_not_known_is_in_no_value() -> None:
    """3 settled, between -2 and 5 censored, 9 so far open; by hand."""
    three, nine = Decimal(3), Decimal(9)
    lines = [
        Judged("ann", "cash", "2017-11", "USD", "settled", three, low=three, high=three),
        Judged("ann", "cash", "2017-11", "USD", "censored", Decimal(1), low=Decimal(-2), high=Decimal(5)),
        Judged("ann", "cash", "2017-11", "USD", "open", nine, low=nine, high=nine),
        Judged("ann", "cash", "unknown", "USD", "unvalued"),
    ]
    (one,) = summed(lines, by_person)
    assert (one.lines, one.settled, one.censored, one.open, one.unvalued) == (4, 1, 1, 1, 1)
    assert (one.value, one.low, one.high, one.so_far) == (three, three - 2, three + 5, nine)
