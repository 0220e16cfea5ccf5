"""What a decision is judged by, taken from the recommendation as it was published."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from services.policy.domain.cascade import derive
from services.policy.domain.decided_line import Day, afterwards
from services.policy.domain.decision_value import Afterwards
from services.policy.domain.evidence import OpenOrder
from tests.unit.policy.examples import PLAIN, with_

D = Decimal
DAYS = tuple(Day(D(units), units == 0) for units in (2, 0, 3))


def published(evidence: Any = PLAIN) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(derive(evidence))
    return found


def facts(document: dict[str, Any]) -> Afterwards:
    found = afterwards(document, DAYS)
    assert isinstance(found, Afterwards)
    return found


def test_stock_orders_and_prices_are_those_of_the_evidence() -> None:
    """Cost 2.00, price 3.00, three days from order to receipt, every day an order day; planned at the close of 5 November."""
    orders = (
        OpenOrder("PO-1", D(2), date(2017, 11, 8), "released"),
        OpenOrder("PO-2", D(1), date(2017, 11, 1), "released"),
    )
    document = published(replace(with_(stock={"reserved": D(1), "backorders": D(2)}), open_orders=orders))
    found, rules = facts(document), PLAIN.policy.parameters
    assert (found.on_hand, found.committed) == (D(4), D(3))
    assert found.coming == {3: 2, 1: 1}, "what was late already is believed to come the day after"
    assert found.sold == tuple(map(D, (2, 0, 3)))
    assert found.is_out == (False, True, False)
    assert found.level == D(document["reorder_point"])
    assert found.receipt == (date.fromisoformat(document["arrive_on"]) - date(2017, 11, 5)).days == 4
    assert found.later == {2: 5, 3: 6}, "the order days after the line's own, up to the last day known"
    assert found.rates.margin == 1
    assert found.rates.holding_a_day == rules.carrying_rate * 2 / 365
    lot = D(document["order_up_to"]) - found.level
    assert found.rates.ordering == rules.setup_cost == found.rates.ordering_a_unit * max(lot, D(6))


def test_without_a_price_the_cost_stands_in_as_in_the_plan() -> None:
    assert facts(published(with_(item={"price": None}))).rates.margin == 2


def test_what_is_no_order_has_no_value() -> None:
    assert afterwards(published() | {"action": "transfer"}, DAYS) == "not_an_order"


def test_evidence_without_terms_is_not_guessed() -> None:
    document = published()
    document["evidence"] |= {"terms": None}
    assert afterwards(document, DAYS) == "evidence_incomplete"
