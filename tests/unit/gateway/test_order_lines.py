"""How a line of an order ended, told from what was answered. Oracle: the words of `schemas.decisions`: "received closes a line
at the quantity received", a confirmed change names what is still to come, a confirmed cancel what does not come any more."""

from decimal import Decimal

import pytest

from services.gateway.domain.order_lines import Answer, Change, LineEnd, line_end

TEN, FOUR, SIX = Decimal(10), Decimal(4), Decimal(6)


def end(
    *answers: tuple[str, dict[str, Decimal]], changes: tuple[Change, ...] = (), kind: str = "purchase_order"
) -> LineEnd:
    return line_end(kind, "MILK", TEN, [Answer(status, lines) for status, lines in answers], changes)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((), LineEnd("open", TEN, None)),
        ((("acknowledged", {}), ("confirmed", {"MILK": TEN})), LineEnd("open", TEN, None)),
        ((("received", {"MILK": TEN}),), LineEnd("received", TEN, TEN)),
        ((("received", {"MILK": FOUR}),), LineEnd("short", TEN, FOUR)),
        ((("received", {"MILK": FOUR}), ("received", {"MILK": SIX})), LineEnd("received", TEN, TEN)),
        ((("received", {"MILK": Decimal(12)}),), LineEnd("received", TEN, Decimal(12))),
        ((("received", {}),), LineEnd("received", TEN, TEN)),  # the whole order came: nothing is named
        ((("received", {"BREAD": TEN}),), LineEnd("open", TEN, None)),  # another line of the same order
        ((("cancelled", {}),), LineEnd("cancelled", TEN, None)),
        ((("received", {"MILK": FOUR}), ("cancelled", {})), LineEnd("short", TEN, FOUR)),  # what came, came
        ((("failed", {}),), LineEnd("failed", TEN, None)),
    ],
)
def test_a_line_ends_as_its_answers_say(answers: tuple[tuple[str, dict[str, Decimal]], ...], expected: LineEnd) -> None:
    assert end(*answers) == expected


def test_a_change_counts_once_the_other_side_agreed_to_it() -> None:
    fewer = Change("change", "released", {"MILK": FOUR})
    assert end(changes=(fewer,)) == LineEnd("open", TEN, None)
    agreed = Change("change", "confirmed", {"MILK": FOUR})
    assert end(changes=(agreed,)) == LineEnd("open", FOUR, None)
    assert end(("received", {"MILK": FOUR}), changes=(agreed,)) == LineEnd("received", FOUR, FOUR)
    other = Change("change", "confirmed", {"BREAD": FOUR})
    assert end(changes=(other,)) == LineEnd("open", TEN, None)


def test_an_agreed_cancellation_ends_the_line_it_names() -> None:
    cancel = Change("cancel", "confirmed", {"MILK": TEN})
    assert end(("confirmed", {"MILK": TEN}), changes=(cancel,)) == LineEnd("cancelled", Decimal(0), None)


@pytest.mark.parametrize("kind", ["change", "cancel"])
def test_a_line_of_a_change_is_done_when_it_is_agreed(kind: str) -> None:
    assert end(kind=kind).ending == "open"
    assert end(("confirmed", {}), kind=kind).ending == "agreed"
    assert end(("failed", {}), kind=kind).ending == "failed"
