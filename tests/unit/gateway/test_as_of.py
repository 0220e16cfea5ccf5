"""What of an order was still to come at a past moment, by its answers, its changes and its receipts up to then."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.domain.as_of import WAY, Answer, Line, Moved, OpenOrder, Ordered, open_orders
from tests.examples import examples

START = datetime(2017, 11, 1, tzinfo=UTC)
DUE = date(2017, 11, 20)
LATER = date(2017, 11, 24)
SKU = "milk"


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def answer(at: int, status: str, *lines: Line) -> Answer:
    return Answer(f"{status}-{at}", status, hour(at), lines)


def ordered(*answers: Answer, quantity: int = 100) -> Ordered:
    return Ordered("po", "purchase_order", hour(1), DUE, Decimal(quantity), None, answers)


def change(at: int, quantity: int, *answers: Answer, kind: str = "change") -> Ordered:
    return Ordered("ch", kind, hour(at), LATER, Decimal(quantity), "po", answers)


def came(at: int, quantity: int, kind: str = "receipt") -> Moved:
    return Moved("po", f"{kind}-{at}", kind, Decimal(quantity), hour(at))


def stood(at: int, *orders: Ordered, moved: tuple[Moved, ...] = (), leaves: bool = False) -> OpenOrder | None:
    found = open_orders(SKU, orders, {"po": leaves}, moved, hour(at))
    assert len(found) <= 1
    return found[0] if found else None


def open_at(at: int, *orders: Ordered, moved: tuple[Moved, ...] = (), leaves: bool = False) -> Decimal:
    found = stood(at, *orders, moved=moved, leaves=leaves)
    return found.open if found else Decimal(0)


def test_order_is_open_from_its_release_until_all_came() -> None:
    goods = (came(5, 60), came(8, 40))
    assert [open_at(at, ordered(), moved=goods) for at in (0, 1, 5, 7, 8)] == [0, 100, 40, 40, 0]
    found = stood(6, ordered(), moved=goods)
    assert found is not None
    assert found.moved == ("receipt-5",)


def test_confirmed_quantity_and_day_count_from_the_answer_on() -> None:
    order = ordered(answer(3, "confirmed", Line(SKU, Decimal(80), LATER)))
    before, after = stood(2, order), stood(3, order)
    assert before is not None and after is not None
    assert (before.open, before.arrive_on, before.status) == (Decimal(100), DUE, "released")
    assert (after.open, after.arrive_on, after.status, after.answers) == (
        Decimal(80),
        LATER,
        "confirmed",
        ("confirmed-3",),
    )


def test_answer_about_other_lines_alone_says_nothing_of_this_one() -> None:
    assert open_at(5, ordered(answer(3, "received", Line("bread", Decimal(10))))) == 100
    assert open_at(5, ordered(answer(3, "received"))) == 0, "without lines it is about the whole order"


def test_of_a_line_that_comes_as_another_product_nothing_is_on_its_way() -> None:
    told = answer(3, "confirmed", Line(SKU, Decimal(90), None, "oat milk"))
    assert open_at(4, ordered(told)) == 0
    found = open_orders("oat milk", [ordered(told, quantity=0)], {"po": False}, [], hour(4))
    assert [one.open for one in found] == [90]


def test_change_lies_over_the_order_until_it_is_answered() -> None:
    goods = (came(2, 30),)
    sent = change(4, 50)
    found = stood(5, ordered(), sent, moved=goods)
    assert found is not None
    assert (found.open, found.arrive_on, found.changes) == (Decimal(50), LATER, ("ch",)), (
        "still to come, beside what came"
    )
    assert open_at(3, ordered(), sent, moved=goods) == 70
    assert open_at(9, ordered(), change(4, 50, answer(6, "failed")), moved=goods) == 70
    assert open_at(9, ordered(), change(4, 50, answer(6, "confirmed")), moved=goods) == 50
    assert open_at(9, ordered(), change(4, 70, kind="cancel"), moved=goods) == 0


def test_transfer_away_lies_here_until_it_is_shipped() -> None:
    assert open_at(2, ordered(), leaves=True) == 100
    assert open_at(4, ordered(), moved=(came(3, 40, "transfer_out"),), leaves=True) == 60
    assert open_at(4, ordered(answer(3, "shipped")), leaves=True) == 0


def test_order_nobody_named_as_about_this_item_is_left_out() -> None:
    assert open_orders(SKU, [ordered()], {}, [], hour(5)) == []


hours = st.integers(0, 12)
answers = st.builds(
    lambda at, status, quantity, whole: answer(at, status, *(() if whole else (Line(SKU, Decimal(quantity)),))),
    hours,
    st.sampled_from(WAY[1:]),
    st.integers(0, 120),
    st.booleans(),
)
goods_ = st.lists(st.builds(came, hours, st.integers(0, 60)), max_size=4)


@given(st.lists(answers, max_size=5), st.none() | st.tuples(hours, st.integers(1, 90)), goods_, st.integers(1, 12))
@settings(max_examples=examples(200))
def test_what_happens_later_changes_nothing_and_nothing_is_owed_back(
    told: list[Answer], changed: tuple[int, int] | None, goods: list[Moved], at: int
) -> None:
    orders = [ordered(*told), *([change(*changed)] if changed else [])]
    found = stood(at, *orders, moved=tuple(goods))
    then = [
        ordered(*(one for one in told if one.updated_at <= hour(at))),
        *([change(*changed)] if changed and changed[0] <= at else []),
    ]
    assert found == stood(12, *then, moved=tuple(one for one in goods if one.occurred_at <= hour(at)))
    assert found is None or found.open > 0
