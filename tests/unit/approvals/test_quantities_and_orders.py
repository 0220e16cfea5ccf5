"""Legal quantities, the grouping of lines into orders, and the rank of the queue."""

import itertools
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.approvals.domain import quantities, ranking
from services.approvals.domain.deciding import decide
from services.approvals.domain.line import Line
from services.approvals.domain.orders import LINES_MAX, orders_due
from services.approvals.domain.refusals import Refusal
from tests.unit.approvals.lines import ANN, APPROVE, MOMENT, NOW, pending, proposal

LOTS = st.one_of(st.none(), st.decimals(min_value="0.0001", max_value=1000, places=4))
MINIMA = st.one_of(st.none(), st.decimals(min_value=0, max_value=5000, places=4))
ASKED = st.decimals(min_value="-100", max_value=100000, places=4)


@given(asked=ASKED, moq=MINIMA, pack=LOTS)
def test_nearest_legal_quantity_is_legal_and_nothing_legal_is_nearer(
    asked: Decimal, moq: Decimal | None, pack: Decimal | None
) -> None:
    nearest = quantities.nearest_legal(max(asked, Decimal(0)), moq=moq, pack=pack)
    quantities.check(nearest, moq=moq, pack=pack, unit="each")
    step = pack or quantities.SMALLEST_STEP
    for other in (nearest - step, nearest + step):
        try:
            quantities.check(other, moq=moq, pack=pack, unit="each")
        except Refusal:
            continue
        assert abs(other - max(asked, Decimal(0))) >= abs(nearest - max(asked, Decimal(0)))


@given(asked=ASKED, moq=MINIMA, pack=LOTS)
def test_refused_quantity_always_offers_a_way_out(asked: Decimal, moq: Decimal | None, pack: Decimal | None) -> None:
    nearest = quantities.nearest_legal(max(asked, Decimal(0)), moq=moq, pack=pack)
    if nearest == asked:
        return
    with pytest.raises(Refusal) as refused:
        quantities.check(asked, moq=moq, pack=pack, unit="each")
    offered = Decimal(refused.value.nearest_legal or "NaN")
    quantities.check(offered, moq=moq, pack=pack, unit="each")


def held(number: int, *, seconds: int = 0, **changes: object) -> Line:
    line = decide(
        pending(proposal(number, line_id=f"line-{number}", sku=f"sku-{number}", **changes)), APPROVE, ANN, MOMENT
    ).line
    assert line.undo_until is not None
    return replace(line, undo_until=NOW + timedelta(seconds=seconds))


def test_lines_of_one_supplier_destination_and_date_leave_as_one_order() -> None:
    (order,) = orders_due([held(2), held(1)], now=NOW, wait_at_most=timedelta(0))
    assert [line.proposal.sku for line in order.lines] == ["sku-1", "sku-2"]
    assert (order.kind, order.supplier, order.location, order.value) == (
        "purchase_order",
        "SUP-17",
        "367",
        Decimal(1000),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"supplier": "SUP-18"},
        {"location": "368"},
        {"order_on": date(2017, 11, 22)},
        {"arrive_on": date(2017, 11, 25)},
        {"currency": "EUR"},
        {"action": "transfer", "from_location": "DC1", "supplier": None},
    ],
)
def test_what_differs_in_supplier_destination_dates_currency_or_kind_leaves_apart(changes: dict[str, object]) -> None:
    assert len(orders_due([held(1), held(2, **changes)], now=NOW, wait_at_most=timedelta(0))) == 2  # type: ignore[arg-type]


def test_order_waits_for_lines_still_in_their_window_but_not_for_ever() -> None:
    lines = [held(1, seconds=-5), held(2, seconds=5)]
    assert orders_due(lines, now=NOW, wait_at_most=timedelta(seconds=60)) == []
    (early,) = orders_due(lines, now=NOW, wait_at_most=timedelta(seconds=5))
    assert [line.line_id for line in early.lines] == ["line-1"]
    (both,) = orders_due(lines, now=NOW + timedelta(seconds=5), wait_at_most=timedelta(seconds=60))
    assert len(both.lines) == 2


def test_order_id_follows_from_its_decisions_in_an_alphabet_every_erp_takes() -> None:
    ids = {
        orders_due(list(some), now=NOW, wait_at_most=timedelta(0))[0].order_id
        for some in itertools.permutations([held(1), held(2), held(3)])
    }
    assert len(ids) == 1
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ids.pop())
    (other,) = orders_due([held(1), held(2)], now=NOW, wait_at_most=timedelta(0))
    (third,) = orders_due([held(1), held(3)], now=NOW, wait_at_most=timedelta(0))
    assert other.order_id != third.order_id


def test_very_long_order_is_cut_so_that_it_fits_one_record() -> None:
    one = held(1)
    many = [replace(one, line_id=f"line-{n:05}", decision_id=f"d-{n}") for n in range(LINES_MAX + 1)]
    assert [len(order.lines) for order in orders_due(many, now=NOW, wait_at_most=timedelta(0))] == [LINES_MAX, 1]


def test_queue_ranks_money_at_risk_by_how_soon_it_hurts() -> None:
    day = date(2017, 11, 20)
    arrive = day + timedelta(days=4)
    urgencies = [
        ranking.urgency(origin=day, arrive_on=arrive, stockout_on=day + timedelta(days=d)) for d in (0, 4, 8, 100)
    ]
    assert urgencies == [Decimal(2), Decimal(2), Decimal(1), Decimal("0.5")]
    assert ranking.score(Decimal(10), origin=day, arrive_on=arrive, stockout_on=None) == Decimal(5)


ORDER_ON = date(2026, 11, 21)
CUT_OFF = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NEXT: dict[str, Any] = {"order_on": ORDER_ON, "arrive_on": date(2026, 11, 24), "order_until": CUT_OFF} | {
    "next_order_on": date(2026, 11, 23),
    "next_arrive_on": date(2026, 11, 26),
}
MISSED = [
    ("at the cut-off itself", NEXT, CUT_OFF, date(2026, 11, 20), False),
    ("one second after it", NEXT, CUT_OFF + timedelta(seconds=1), date(2026, 11, 20), True),
    ("the order day has closed", NEXT, CUT_OFF - timedelta(hours=3), ORDER_ON, True),
    ("without a cut-off all day long", NEXT | {"order_until": None}, CUT_OFF + timedelta(hours=9), date(2026, 11, 20), False),
    ("history is replayed: the clock tells nothing", NEXT, CUT_OFF + timedelta(days=8), date(2026, 11, 20), False),
    ("no business day is known", NEXT, CUT_OFF + timedelta(hours=1), None, False),
    ("no next order day is known", NEXT | {"next_order_on": None}, CUT_OFF + timedelta(hours=1), ORDER_ON, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "now", "closed_on", "is_missed"), [one[1:] for one in MISSED], ids=[one[0] for one in MISSED]
)
def test_a_line_whose_order_day_is_over_at_its_release_is_ordered_on_the_next_one(
    changes: dict[str, Any], now: datetime, closed_on: date | None, is_missed: bool
) -> None:
    line = replace(held(1, **changes), undo_until=now)
    closed = {} if closed_on is None else {line.proposal.location: closed_on}
    (order,) = orders_due([line], now=now, wait_at_most=timedelta(0), closed=closed)
    if is_missed:
        assert (order.order_on, order.arrive_on) == (NEXT["next_order_on"], NEXT["next_arrive_on"])
        assert order.missed_order_on == ORDER_ON
    else:
        assert (order.order_on, order.arrive_on) == (ORDER_ON, NEXT["arrive_on"])
        assert order.missed_order_on is None


def test_a_line_that_missed_its_day_joins_the_order_of_the_next_one() -> None:
    now = CUT_OFF + timedelta(minutes=5)
    late = replace(held(1, **NEXT), undo_until=now)
    punctual = replace(held(2, order_on=NEXT["next_order_on"], arrive_on=NEXT["next_arrive_on"]), undo_until=now)
    closed = {late.proposal.location: date(2026, 11, 20)}
    (order,) = orders_due([late, punctual], now=now, wait_at_most=timedelta(0), closed=closed)
    assert len(order.lines) == 2 and order.missed_order_on == ORDER_ON
