"""What a person is told of a supplier's answer: short, late, dearer, something else, and nothing when all is as ordered."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.policy.domain.supplier_answers import LATE, PRICE, SHORT, Ordered, Told, findings

ORDERED = Ordered("A", "L1", "SUP", Decimal(12), date(2024, 3, 9), Decimal("2.50"))
AS_ORDERED = Told(Decimal(12), date(2024, 3, 9), Decimal("2.5000"))


@pytest.mark.parametrize(
    ("told", "kinds", "money"),
    [
        (AS_ORDERED, [], []),
        (Told(Decimal(12)), [], []),
        (replace(AS_ORDERED, quantity=Decimal(15), arrive_on=date(2024, 3, 8)), [], []),
        (replace(AS_ORDERED, quantity=Decimal(8)), [SHORT], [Decimal(10)]),
        (replace(AS_ORDERED, quantity=Decimal(0)), [SHORT], [Decimal(30)]),
        (replace(AS_ORDERED, arrive_on=date(2024, 3, 11)), [LATE], [Decimal(30)]),
        (replace(AS_ORDERED, unit_cost=Decimal(3)), [PRICE], [Decimal(6)]),
        (replace(AS_ORDERED, unit_cost=Decimal(2)), [PRICE], [Decimal(0)]),
        (replace(AS_ORDERED, substitute="B"), [SHORT], [Decimal(30)]),
        (
            Told(Decimal(4), date(2024, 4, 1), Decimal(3)),
            [SHORT, LATE, PRICE],
            [Decimal(20), Decimal(10), Decimal(2)],
        ),
    ],
)
def test_what_differs_from_the_order_is_told_with_what_is_at_stake(
    told: Told, kinds: list[str], money: list[Decimal]
) -> None:
    found = findings("PO-1", ORDERED, told)
    assert ([one.kind for one in found], [one.money for one in found]) == (kinds, money)
    for one in found:
        assert "PO-1" in one.says and "A" in one.says and one.remedy


def test_a_substitute_is_named_and_whether_it_counts() -> None:
    (known,) = findings("PO-1", ORDERED, replace(AS_ORDERED, substitute="B"))
    assert known.says == (
        "Instead of 12 A of PO-1, SUP sends 12 B; the substitute counts as on its way, what was ordered does not."
    )
    (unknown,) = findings("PO-1", ORDERED, replace(AS_ORDERED, substitute="B", is_substitute_known=False))
    assert "does not know it" in unknown.says and "Define B" in unknown.remedy
    assert known.details["substitute"] == unknown.details["substitute"] == "B"


def test_the_longest_codes_still_fit_the_contract() -> None:
    long = "x" * 64
    ordered = Ordered(long, long, long, Decimal("999999999999.9999"), date(2024, 3, 9), Decimal("999999.9999"))
    told = Told(Decimal("999999999999.9998"), date(2033, 3, 9), Decimal("999998.9999"))
    for said in (told, replace(told, substitute=long), replace(told, substitute=long, is_substitute_known=False)):
        for one in findings(long, ordered, said):
            assert len(one.says) <= 400 and len(one.remedy) <= 400
