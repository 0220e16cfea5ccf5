"""Every kind of exception the contract knows has its time to be settled."""

from datetime import date
from typing import get_args

from schemas.recommendations import ExceptionRaised
from services.gateway.domain.inbox import DAYS, OTHER_DAYS, due_on

KINDS = get_args(ExceptionRaised.model_fields["kind"].annotation)


def test_every_kind_of_the_contract_has_its_days() -> None:
    assert set(DAYS) == set(KINDS)


def test_an_empty_shelf_is_due_the_next_day_and_an_unknown_kind_in_a_few() -> None:
    raised = date(2017, 12, 31)
    assert due_on("stockout_risk", raised) == date(2018, 1, 1)
    assert (due_on("something_new", raised) - raised).days == OTHER_DAYS
