"""Proposals, lines and people for the tests of the rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.approvals.domain.arrivals import arrive
from services.approvals.domain.authority import Actor, Limits
from services.approvals.domain.deciding import Command
from services.approvals.domain.lifecycle import Action, Moment
from services.approvals.domain.line import Line, Proposal

LIMITS = Limits(rule_value_limit=Decimal(100), second_signature_above=Decimal(1000), policy_version=3)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DAY = date(2017, 11, 20)
MOMENT = Moment(NOW, DAY, LIMITS, timedelta(seconds=10))

ANN = Actor("ann", frozenset({"planner"}))
BEN = Actor("ben", frozenset({"planner"}))
EVA = Actor("eva", frozenset({"approver"}))
IDA = Actor("ida", frozenset({"approver", "planner"}))
ADA = Actor("ada", frozenset({"admin"}))
ODA = Actor("oda", frozenset({"auditor"}))
TWO_HATS = Actor("tom", frozenset({"admin", "approver"}))
ROBOT = Actor("erp", frozenset({"service"}))


def proposal(number: int = 1, **changes: Any) -> Proposal:
    """A buy of 50 units at 10.00: 500.00, above the rule limit, below the two-person limit."""
    plain = Proposal(
        recommendation_id=f"rec-{number}",
        line_id="line-1",
        action="buy",
        origin=DAY,
        sku="1029743",
        location="367",
        quantity=Decimal(50),
        unit="each",
        unit_cost=Decimal(10),
        value=Decimal(500),
        currency="USD",
        order_on=date(2017, 11, 21),
        arrive_on=date(2017, 11, 24),
        money_at_risk=Decimal(214),
        approved_by_rule=False,
        supplier="SUP-17",
        moq=Decimal(20),
        pack=Decimal(10),
        stockout_on=date(2017, 11, 23),
        route_reasons=("value_above_limit",),
    )
    return replace(plain, **changes)


def worth(value: int, number: int = 1, **changes: Any) -> Proposal:
    """A proposal of this value at 10.00 a unit."""
    return proposal(number, quantity=Decimal(value) / 10, value=Decimal(value), **changes)


def pending(of: Proposal | None = None) -> Line:
    """A fresh line that waits for a person."""
    return arrive(None, "demo", of or proposal(), MOMENT).line


APPROVE = Command(Action.APPROVE)
REJECT = Command(Action.REJECT, reason="not_needed")
UNDO = Command(Action.UNDO)
SNOOZE = Command(Action.SNOOZE, snooze_until=DAY + timedelta(days=3))


def amend(quantity: int | str) -> Command:
    """An amendment with a reason."""
    return Command(Action.AMEND, Decimal(quantity), "promotion_known")
