"""What the scenarios page says bounds a signal is what bounds it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.policy.domain.scenarios import strategy_of
from services.policy.scenarios_api import STRATEGIES
from tests.unit.policy.examples import PLAIN

BOUNDS = [(kind, name) for kind, (_moves, names) in STRATEGIES.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), BOUNDS)
def test_parameter_bounds_its_kind_of_signal_and_no_other(kind: str, name: str) -> None:
    plain = PLAIN
    bound: dict[str, Any] = {name: Decimal("0.9") if name.endswith("_min") else Decimal("1.1")}
    rules = replace(plain.policy.parameters, **bound)
    other = replace(plain, policy=replace(plain.policy, parameters=rules))
    changed = {one for one in STRATEGIES if strategy_of(one, plain) != strategy_of(one, other)}
    assert changed == {kind}


def test_kinds_that_lengthen_lead_times_are_said_to() -> None:
    lengthening = {kind for kind in STRATEGIES if strategy_of(kind, PLAIN).lengthens}
    assert lengthening == {kind for kind, (moves, _names) in STRATEGIES.items() if moves == "lead_time"}
