"""A state machine over the life of a line: anything may happen in any order, and what leaves was allowed to leave.

The model keeps its own books from the history alone: who said yes to exactly this quantity since it last changed.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.approvals.domain import arrivals, deciding, lifecycle
from services.approvals.domain.authority import Actor
from services.approvals.domain.deciding import Command
from services.approvals.domain.lifecycle import Step
from services.approvals.domain.line import HELD, WAITING, Line, State
from services.approvals.domain.refusals import Refusal
from tests.examples import examples
from tests.unit.approvals.lines import (
    ADA,
    ANN,
    APPROVE,
    BEN,
    DAY,
    EVA,
    IDA,
    MOMENT,
    ODA,
    REJECT,
    SNOOZE,
    UNDO,
    amend,
    worth,
)

PEOPLE = st.sampled_from([ANN, BEN, EVA, IDA, ADA, ODA])
COMMANDS = st.sampled_from([APPROVE, amend(30), amend(200), amend(300), REJECT, SNOOZE, UNDO])
VALUES = st.sampled_from([80, 500, 2000])
LIMIT = MOMENT.limits.second_signature_above


class Life(RuleBasedStateMachine):
    """One line, many hands."""

    def __init__(self) -> None:
        super().__init__()
        self.line: Line | None = None
        self.moment = MOMENT
        self.number = 0
        self.decided: list[tuple[int, str]] = []
        self.said_yes: set[str] = set()
        self.orders: list[str] = []

    @initialize(value=VALUES, by_rule=st.booleans())
    def is_proposed(self, value: int, by_rule: bool) -> None:
        self.proposed(value, by_rule, 0)

    @rule(value=VALUES, by_rule=st.booleans(), days=st.integers(-1, 3))
    def proposed(self, value: int, by_rule: bool, days: int) -> None:
        """The policy service has fresher (or older) numbers."""
        self.number += 1
        more = {"approved_by_rule": by_rule, "origin": DAY + timedelta(days=days)}
        if by_rule:
            more["route_reasons"] = ()
        supersedes = self.line.proposal.recommendation_id if self.line else None
        before = self.line
        arrival = arrivals.arrive(before, "demo", worth(value, self.number, supersedes=supersedes, **more), self.moment)
        if before is None or arrival.line.quantity != before.quantity or arrival.line.first_signer is None:
            self.said_yes = set()
        self._note(arrival.steps)
        self.line = arrival.line

    @rule(actor=PEOPLE, command=COMMANDS)
    def decided_by(self, actor: Actor, command: Command) -> None:
        """A person decides, or is refused and has changed nothing."""
        assert self.line is not None
        before = self.line
        try:
            step = deciding.decide(before, command, actor, self.moment)
        except Refusal:
            return
        assert before.state in WAITING or command is UNDO, f"a line that is {before.state} was decided again"
        if (
            step.line.quantity != before.quantity
            or command in (UNDO, REJECT, SNOOZE)
            or before.state is not State.AWAITING_SECOND
        ):
            self.said_yes = set()
        if command is APPROVE or command.quantity is not None:
            self.said_yes.add(actor.subject)
        self._note((step,))
        self.line = step.line

    @rule(days=st.integers(0, 40))
    def closes_a_day(self, days: int) -> None:
        """Event time moves on: a snooze ends, a proposal nobody refreshed expires."""
        assert self.line is not None
        self.moment = replace(self.moment, business_date=max(self.moment.business_date, DAY + timedelta(days=days)))
        step = arrivals.on_business_date(self.line, self.moment, expires_after=timedelta(days=28))
        self._moved(step)

    @rule(seconds=st.integers(0, 30))
    def time_passes(self, seconds: int) -> None:
        self.moment = replace(self.moment, now=self.moment.now + timedelta(seconds=seconds))

    @rule()
    def is_withdrawn(self) -> None:
        """The policy service sees no need any more."""
        assert self.line is not None
        self._moved(arrivals.withdraw(self.line, "covered", self.moment))

    @precondition(lambda self: self.line is not None and self.line.state in HELD)
    @rule()
    def is_released(self) -> None:
        """The undo window is over."""
        assert self.line is not None
        if not self.line.by_rule:
            needed = 2 if self.line.value > LIMIT else 1
            assert len(self.said_yes) >= needed, (
                f"{self.line.value} leaves with the word of {self.said_yes or 'nobody'}"
            )
        order_id = f"po-{len(self.orders) + 1}"
        assert self.line.decision_id not in self.orders, "one decision, two orders"
        self.orders.append(str(self.line.decision_id))
        self.line = lifecycle.release(self.line, order_id)

    @precondition(lambda self: self.line is not None and self.line.state is State.RELEASED)
    @rule(actor=PEOPLE)
    def is_recalled(self, actor: Actor) -> None:
        """The whole order is taken back."""
        assert self.line is not None
        try:
            step = deciding.recall(self.line, actor, self.moment, reason="ordered_in_error", note=None)
        except Refusal:
            return
        self._moved(step)

    @invariant()
    def versions_are_numbered_without_a_gap(self) -> None:
        assert [version for version, _ in self.decided] == list(range(1, len(self.decided) + 1))
        assert self.line is None or self.line.version == len(self.decided)

    @invariant()
    def what_is_held_is_authorised(self) -> None:
        if self.line is not None and self.line.state in HELD:
            assert lifecycle.is_authorised(self.line)
            assert not self.line.by_rule or self.line.value <= MOMENT.limits.rule_value_limit

    @invariant()
    def the_same_person_never_signs_twice(self) -> None:
        if self.line is not None and self.line.second_signer is not None:
            assert self.line.second_signer not in (self.line.first_signer, self.line.amended_by)

    @invariant()
    def a_quantity_is_ordered_as_it_was_signed(self) -> None:
        assert self.line is None or self.line.quantity > Decimal(0)

    def _moved(self, step: Step | None) -> None:
        if step is not None:
            self._note((step,))
            self.line = step.line
            if self.line.state not in HELD and self.line.first_signer is None:
                self.said_yes = set()

    def _note(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self.decided.append((step.decision.version, step.decision.verdict))


Life.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
