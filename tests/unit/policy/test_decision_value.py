"""What decisions were worth: a ledger kept by hand, what must always hold, and a world of which the truth is known."""

import random
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.decision_value import Afterwards, Parts, Rates, value_of
from services.policy.domain.refusal import PolicyRefusal
from tests.examples import examples

D = Decimal
ODD = Rates(margin=D("1.3333"), holding_a_day=D("0.00137"), ordering=D("4.995"), ordering_a_unit=D("0.3333"))
LEAD = 2
KNOWN = [False] * 200
RATES = Rates(margin=D(3), holding_a_day=D("0.10"), ordering=D(5), ordering_a_unit=D("0.50"))


def facts(
    sold: list[int],
    *,
    on_hand: int,
    receipt: int = 1,
    level: int = 0,
    later: dict[int, int] | None = None,
    is_out: list[bool] | None = None,
) -> Afterwards:
    out = tuple(is_out or [False] * len(sold))
    return Afterwards(D(on_hand), D(0), {}, receipt, tuple(map(D, sold)), out, D(level), later or {}, RATES)


def test_four_days_by_hand() -> None:
    """2 on hand, 10 proposed and 4 decided for day 2; sold 1, 3, 4, 4; from day 4 on up to 8, there at once.

    Day 1: 1 left in both. Day 2: 11 - 3 = 8 left; 5 - 3 = 2 left. Day 3: 4 left; 0 left and 2 lost. Day 4: 4 are ordered and
    8 - 4 = 4 left; 8 are ordered and 4 left: the same. Proposed: 1 + 8 + 4 + 4 = 17 unit-days, none lost, 4 ordered later;
    decided: 1 + 2 + 0 + 4 = 7 unit-days, 2 lost, 8 ordered later. So 10 unit-days at 0.10 are saved, 2 margins of 3 lost, and
    4 units at 0.50 have to be ordered once more.
    """
    found = value_of(facts([1, 3, 4, 4], on_hand=2, receipt=2, level=8, later={4: 4}), D(10), D(4))
    assert found.parts == Parts(holding=D("1.00"), lost_margin=D("-6.00"), ordering=D("-2.00"))
    assert (found.status, found.parts.value, found.met, found.days_out) == ("settled", D("-7.00"), 4, 0)
    assert (found.low, found.high) == (D("-7.00"), D("-7.00"))


def test_a_rejection_that_nobody_missed_saves_holding_and_the_order() -> None:
    """5 proposed for day 1; sold 0, 4, 5. With it 9, 5, 0 are left; without it 4, 0, and 5 of a later order come on day 3."""
    found = value_of(facts([0, 4, 5], on_hand=4, level=5, later={3: 3}), D(5), D(0))
    assert found.parts == Parts(holding=D("1.00"), lost_margin=D(0), ordering=D("2.50"))
    assert (found.status, found.met) == ("settled", 3)


def test_a_day_out_of_stock_gives_bounds_and_no_number() -> None:
    """3 proposed for day 1, none decided; 2 on hand are sold on day 1, which closes empty, as does day 2. Of the 3 units none
    or all could have been sold in three days: 3 x 3 lost at most; none sold, they are ordered later at 0.50 each. An order of 5
    is saved, and three units held on three days make 0.90 at most."""
    told = facts([2, 0, 3], on_hand=2, level=3, later={3: 3}, is_out=[True, True, False])
    found = value_of(told, D(3), D(0))
    assert (found.status, found.days_out, found.met) == ("censored", 2, 3)
    assert (found.low, found.high) == (D(5) - D(9) - D("0.91"), D(5) - D("1.50") + D("0.91")), "and a cent for rounding"
    assert found.parts.value == D("0.60") + D(5) - D("1.50"), "if nobody asked for more"


def test_a_day_out_of_stock_in_both_worlds_changes_nothing() -> None:
    """Whoever found the shelf empty would have found it empty either way: 5 proposed and 4 decided, 8 sold on day 1."""
    told = facts([8, 3], on_hand=3, level=3, later={2: 2}, is_out=[True, True])
    found = value_of(told, D(5), D(4))
    assert (found.status, found.days_out) == ("settled", 0)
    assert found.parts == Parts(D(0), D("-3.00"), D(0))


def test_until_the_worlds_meet_a_line_is_open() -> None:
    found = value_of(facts([1, 1, 1], on_hand=9), D(0), D(100))
    assert (found.status, found.met) == ("open", None)
    assert found.parts.value == D("-35.00"), "so far: 100 units held for 3 days, and an order"
    assert value_of(facts([], on_hand=9), D(5), D(0)).status == "open"


@pytest.mark.parametrize(("proposed", "decided"), [(-1, 0), (0, -1)])
def test_negative_quantities_are_refused(proposed: int, decided: int) -> None:
    with pytest.raises(PolicyRefusal, match="quantity_negative"):
        value_of(facts([1], on_hand=1), D(proposed), D(decided))


units = st.integers(0, 20)


@st.composite
def afterwards(draw: st.DrawFn) -> Afterwards:
    """Any item with any rule; what was asked for on days out of stock is unknown."""
    days = draw(st.integers(0, 25))
    step, lead = draw(st.integers(1, 4)), draw(st.integers(0, 4))
    return Afterwards(
        D(draw(units)), D(draw(st.integers(0, 3))), {draw(st.integers(1, 5)): D(draw(units))}, 1 + lead,
        tuple(D(draw(st.integers(0, 8))) for _ in range(days)), tuple(draw(st.booleans()) for _ in range(days)),
        D(draw(units)), {day: day + lead for day in range(2, days + 1, step)},
        draw(st.sampled_from([RATES, ODD])),
    )  # fmt: skip


@settings(max_examples=examples(200), deadline=None)
@given(afterwards(), units)
def test_the_same_quantity_is_worth_nothing_at_once(told: Afterwards, quantity: int) -> None:
    found = value_of(told, D(quantity), D(quantity))
    assert (found.status, found.met) == ("settled", 0)
    assert {found.parts.value, found.low, found.high} == {D(0)}


@settings(max_examples=examples(300), deadline=None)
@given(afterwards(), units, units)
def test_the_other_way_round_is_worth_as_much_with_the_other_sign(told: Afterwards, one: int, other: int) -> None:
    there, back = value_of(told, D(one), D(other)), value_of(told, D(other), D(one))
    assert there.parts.value == -back.parts.value
    assert (there.low, there.high) == (-back.high, -back.low)
    assert (there.status, there.met) == (back.status, back.met)


@settings(max_examples=examples(300), deadline=None)
@given(afterwards(), units, units, units)
def test_two_decisions_one_after_the_other_add_up(told: Afterwards, one: int, two: int, three: int) -> None:
    """From one quantity to a third over a second: worth as much as at once, where all of it is settled."""
    known = replace(told, is_out=(False,) * len(told.sold), rates=RATES)
    steps = [value_of(known, D(a), D(b)) for a, b in ((one, two), (two, three), (one, three))]
    if all(step.status == "settled" for step in steps):
        assert steps[0].parts.value + steps[1].parts.value == steps[2].parts.value


@settings(max_examples=examples(500), deadline=None)
@given(afterwards(), units, units, st.lists(st.integers(0, 30), min_size=25, max_size=25))
def test_whatever_was_asked_for_on_days_out_of_stock_the_value_lies_between(
    told: Afterwards, one: int, other: int, more: list[int]
) -> None:
    asked = tuple(sold + D(extra) * out for sold, out, extra in zip(told.sold, told.is_out, more, strict=False))
    truth = value_of(replace(told, sold=asked, is_out=(False,) * len(asked)), D(one), D(other))
    found = value_of(told, D(one), D(other))
    if "open" not in (truth.status, found.status):
        assert found.low <= truth.parts.value <= found.high
        assert found.status == "censored" or truth.parts == found.parts


@dataclass(frozen=True)
class Override:
    day: int
    by: str
    proposed: int
    decided: int
    on_hand: int
    coming: dict[int, int]


@dataclass
class Shop:
    """A shop of which everything is known, in whole cents, written without any of the code it judges."""

    asked: list[int]
    level: int = 16

    def play(self, decide: dict[int, str]) -> tuple[tuple[int, int], list[Override], list[int], list[bool]]:
        """`decide`: on which days which planner has the word. Gives back the cents for holding and for lost
        margin, overrides, sales, days out."""
        stock, coming, held, lost = 16, dict[int, int](), 0, 0
        made, sold, out = list[Override](), list[int](), list[bool]()
        for day, units in enumerate(self.asked, 1):
            proposed = max(self.level - stock - sum(coming.values()), 0)
            quantity = proposed
            if proposed and day in decide:
                quantity = self._word(decide[day], day, proposed)
                made.append(Override(day, decide[day], proposed, quantity, stock, dict(coming)))
            if quantity:
                coming[day + LEAD] = coming.get(day + LEAD, 0) + quantity
            stock += coming.pop(day, 0)
            went = min(stock, units)
            stock -= went
            held, lost = held + 10 * stock, lost + 300 * (units - went)
            sold.append(went)
            out.append(stock == 0)
        return (held, lost), made, sold, out

    def _word(self, by: str, day: int, proposed: int) -> int:
        coming = sum(self.asked[day + LEAD - 1 : day + LEAD + 3])
        usual = 4 * sum(self.asked) // len(self.asked)
        wiser = max(proposed + coming - usual, 0)
        # Who knows what is coming, who believes the contrary of it, and who tosses a coin.
        return {
            "knows": wiser,
            "errs": max(2 * proposed - wiser, 0),
            "guesses": max(proposed + (-3 if day % 2 else 3), 0),
        }[by]

    def facts(self, one: Override, sold: list[int], is_out: list[bool]) -> Afterwards:
        before = one.day - 1
        days = range(one.day + 1, len(self.asked) + 1)
        later = {day - before: day - before + LEAD for day in days}
        coming = {day - before: D(units) for day, units in one.coming.items()}
        return Afterwards(
            D(one.on_hand), D(0), coming, one.day + LEAD - before, tuple(map(D, sold[before:])), tuple(is_out[before:]),
            D(self.level), later, RATES,
        )  # fmt: skip


def season(seed: int) -> list[int]:
    """Quiet weeks and rushes, and a long steady end in which all worlds meet."""
    chance = random.Random(seed)
    weeks = [chance.choice([0, 1, 3, 8]) for _ in range(20)]
    return [max(units + chance.randint(-1, 1), 0) for units in weeks for _ in range(7)] + [4] * 60


def seats(seed: int) -> dict[int, str]:
    chance = random.Random(seed)
    return {day: chance.choice(["knows", "errs", "guesses"]) for day in range(1, 141) if chance.random() < 0.5}


@pytest.mark.parametrize("seed", range(8))
def test_values_of_all_overrides_are_the_difference_of_the_totals_to_the_cent(seed: int) -> None:
    shop = Shop(season(seed))
    actual, made, _sold, _out = shop.play(seats(seed))
    untouched, _none, _all, _days = shop.play({})
    assert len(made) > 15
    found = [value_of(shop.facts(one, shop.asked, KNOWN), D(one.proposed), D(one.decided)) for one in made]
    assert {one.status for one in found} == {"settled"}
    assert sum(one.parts.holding for one in found) == D(untouched[0] - actual[0]) / 100
    assert sum(one.parts.lost_margin for one in found) == D(untouched[1] - actual[1]) / 100


def test_planted_planners_are_ranked_right() -> None:
    """Over twenty shops: who knows comes first, who tosses a coin next, who believes the contrary last; with the truth known,
    and by the middle of the bounds from what the ledger holds."""
    truth, from_sales = (dict.fromkeys(("knows", "errs", "guesses"), D(0)) for _ in range(2))
    for seed in range(20):
        shop = Shop(season(seed))
        _cents, made, sold, is_out = shop.play(seats(seed))
        for one in made:
            known = value_of(shop.facts(one, shop.asked, KNOWN), D(one.proposed), D(one.decided))
            found = value_of(shop.facts(one, sold, is_out), D(one.proposed), D(one.decided))
            truth[one.by] += known.parts.value
            from_sales[one.by] += (found.low + found.high) / 2
    for worth in (truth, from_sales):
        assert sorted(worth, key=worth.__getitem__) == ["errs", "guesses", "knows"], worth
        assert worth["errs"] < 0 < worth["knows"], worth


def test_bounds_from_sales_alone_hold_what_it_really_came_to() -> None:
    """The ledger knows only what was sold; what was asked for lies with the simulator. Settled lines are exact."""
    seen = dict.fromkeys(("settled", "censored", "open"), 0)
    for seed in range(30):
        shop = Shop(season(seed))
        _cents, made, sold, is_out = shop.play(seats(seed))
        for one in made:
            found = value_of(shop.facts(one, sold, is_out), D(one.proposed), D(one.decided))
            seen[found.status] += 1
            truth = value_of(shop.facts(one, shop.asked, KNOWN), D(one.proposed), D(one.decided)).parts
            assert found.low <= truth.value <= found.high
            if found.status == "settled":
                assert truth == found.parts
    assert min(seen["settled"], seen["censored"]) > 50, seen
