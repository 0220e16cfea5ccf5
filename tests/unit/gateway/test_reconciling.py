"""An ERP's orders held against ours; the oracle plants each fault and counts."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.domain.reconciling import Difference, Ours, Theirs, reconcile
from tests.examples import examples

TEN, SIX, NONE = Decimal(10), Decimal(6), Decimal(0)


def ours(order_id: str, status: str = "released", agreed: Decimal = TEN) -> Ours:
    return Ours(order_id, status, {"MILK": TEN}, {"MILK": agreed})


def found(mine: list[Ours], theirs: list[Theirs]) -> tuple[list[str], list[str], list[str], list[Difference], int]:
    result = reconcile(mine, {one.order_id: one for one in mine}, theirs)
    return result.missing, result.unknown, result.repeated, result.differences, result.equal


def test_what_an_erp_lacks_has_twice_or_made_up_is_named() -> None:
    mine = [ours("PO-1"), ours("PO-2"), ours("PO-3", "cancelled"), ours("PO-4", "failed")]
    theirs = [Theirs("PO-2"), Theirs("PO-2"), Theirs("PO-9")]
    assert found(mine, theirs) == (["PO-1"], ["PO-9"], ["PO-2"], [], 1)


def test_order_of_another_time_is_no_unknown_one() -> None:
    result = reconcile([], {"PO-1": ours("PO-1")}, [Theirs("PO-1", {"MILK": TEN})])
    assert (result.missing, result.unknown, result.equal) == ([], [], 1)


def test_quantity_is_right_as_ordered_or_as_agreed_and_nothing_else() -> None:
    mine = [ours("PO-1", "confirmed", SIX)]
    for quantity in (TEN, SIX):
        assert found(mine, [Theirs("PO-1", {"MILK": quantity})]) == ([], [], [], [], 1)
    seven = Difference("PO-1", "MILK", TEN, SIX, Decimal(7))
    assert found(mine, [Theirs("PO-1", {"MILK": Decimal(7)})]) == ([], [], [], [seven], 0)


def test_line_one_side_has_alone_is_a_difference_unless_it_was_agreed_not_to_come() -> None:
    gone, bread = Difference("PO-1", "MILK", TEN, TEN, None), Difference("PO-1", "BREAD", None, None, SIX)
    assert found([ours("PO-1")], [Theirs("PO-1", {"BREAD": SIX})]) == ([], [], [], [bread, gone], 0)
    assert found([ours("PO-1", agreed=NONE)], [Theirs("PO-1", {})]) == ([], [], [], [], 1)


ids = st.sets(st.integers(0, 30).map(lambda number: f"PO-{number}"), max_size=12)


@settings(max_examples=examples(200))
@given(both=ids, lost=ids, invented=ids, twice=ids, changed=ids)
def test_every_planted_fault_is_found_and_no_other(
    both: set[str], lost: set[str], invented: set[str], twice: set[str], changed: set[str]
) -> None:
    lost, invented = lost - both, invented - both - lost
    mine = [ours(one) for one in both | lost]
    there = [Theirs(one, {"MILK": TEN + 1 if one in changed else TEN}) for one in both | invented]
    there += [Theirs(one) for one in both & twice]
    missing, unknown, repeated, differences, equal = found(mine, there)
    assert (missing, unknown, repeated) == (sorted(lost), sorted(invented), sorted(both & twice))
    assert [one.order_id for one in differences] == sorted(both & changed)
    assert equal == len(both - changed)
