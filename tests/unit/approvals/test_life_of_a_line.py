"""A line's whole life under random people, recommendations and closing days, against a model that only counts signatures."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.approvals.domain import arrivals, deciding, lifecycle
from services.approvals.domain.authority import Actor
from services.approvals.domain.deciding import Command
from services.approvals.domain.lifecycle import Action, Step
from services.approvals.domain.line import HELD, Line, State
from services.approvals.domain.refusals import Refusal
from tests.examples import examples
from tests.unit.approvals.lines import ADA, ANN, BEN, DAY, EVA, IDA, LIMITS, MOMENT, ODA, worth

PEOPLE = st.sampled_from([ANN, BEN, EVA, IDA, ADA, ODA])
APPROVERS = {"eva", "ida"}
VALUES = st.sampled_from([80, 100, 500, 1000, 2000])
SECONDS = st.integers(min_value=0, max_value=30)


class LifeOfALine(RuleBasedStateMachine):
    """`signed` is the model: who said yes to exactly what the line orders now."""

    line: Line
    signed: list[str]

    @initialize(value=VALUES, calm=st.booleans())
    def arrive(self, value: int, calm: bool) -> None:
        reasons = () if calm else ("low_confidence",)
        self.moment = MOMENT
        self.number = 1
        self.signed = []
        self.versions: list[int] = []
        proposal = worth(value, approved_by_rule=calm, route_reasons=reasons)
        arrival = arrivals.arrive(None, "demo", proposal, self.moment)
        self.take(arrival.line, arrival.steps)

    def take(self, line: Line, steps: tuple[Step, ...]) -> None:
        self.line = line
        self.versions += [step.decision.version for step in steps]

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.moment = replace(self.moment, now=self.moment.now + timedelta(seconds=seconds))

    @rule(actor=PEOPLE, action=st.sampled_from([Action.APPROVE, Action.REJECT, Action.SNOOZE, Action.UNDO]))
    def decide(self, actor: Actor, action: Action) -> None:
        until = self.moment.business_date + timedelta(days=2)
        self._person(actor, Command(action, reason="other", note="a reason", snooze_until=until))

    @rule(actor=PEOPLE, packs=st.integers(min_value=-1, max_value=40), crumbs=st.sampled_from(["0", "0.5"]))
    def amend(self, actor: Actor, packs: int, crumbs: str) -> None:
        quantity = Decimal(packs * 10) + Decimal(crumbs)
        self._person(actor, Command(Action.AMEND, quantity, "promotion_known"))

    def _person(self, actor: Actor, command: Command) -> None:
        try:
            step = deciding.decide(self.line, command, actor, self.moment)
        except Refusal:
            return
        assert actor.subject not in ("ada", "oda"), "who administers or audits decided"
        if command.action is Action.APPROVE:
            self.signed.append(actor.subject)
        else:
            self.signed = [actor.subject] if command.action is Action.AMEND else []
        self.take(step.line, (step,))

    @rule(value=VALUES, calm=st.booleans(), knows=st.booleans())
    def fresher_recommendation(self, value: int, calm: bool, knows: bool) -> None:
        self.number += 1
        arriving = worth(
            value,
            self.number,
            approved_by_rule=calm,
            route_reasons=() if calm else ("new_item",),
            supersedes=None if knows else self.line.proposal.recommendation_id,
        )
        before = self.line
        arrival = arrivals.arrive(self.line, "demo", arriving, self.moment)
        if before.state in HELD:
            assert arrival.line == before, "a held line was touched"
        if arrival.place is arrivals.Place.CURRENT and arrival.line.amended_by is None:
            self.signed = []  # given for other numbers; an amendment keeps its own and whoever made it stays its signer
        self.take(arrival.line, arrival.steps)

    @rule(days=st.integers(min_value=0, max_value=9))
    def business_day_closes(self, days: int) -> None:
        at = replace(self.moment, business_date=DAY + timedelta(days=days))
        step = arrivals.on_business_date(self.line, at, expires_after=timedelta(days=7))
        if step is not None:
            self.signed = []
            self.take(step.line, (step,))

    @precondition(lambda self: self.line.state in HELD)
    @rule()
    def release(self) -> None:
        line = lifecycle.release(self.line, "PO-1")
        if not self.signed:
            assert line.proposal.approved_by_rule, "released and nobody said yes"
            assert line.value <= LIMITS.rule_value_limit
        elif line.value > LIMITS.second_signature_above:
            assert len(set(self.signed)) == len(self.signed) >= 2
            assert self.signed[-1] in APPROVERS
        self.line = line

    @invariant()
    def versions_count_without_a_gap(self) -> None:
        assert self.versions == list(range(1, len(self.versions) + 1))
        assert self.line.version == len(self.versions)

    @invariant()
    def a_quantity_is_the_proposals_or_a_legal_amendment(self) -> None:
        line = self.line
        if line.amended_by is None:
            assert (line.quantity, line.value) == (line.proposal.quantity, line.proposal.value)
        else:
            assert line.quantity % 10 == 0
            assert line.quantity >= 20

    @invariant()
    def signatures_are_where_they_belong(self) -> None:
        line = self.line
        assert line.second_signer is None or line.second_signer != line.first_signer
        if line.state in (State.PENDING, State.REJECTED, State.EXPIRED, State.SNOOZED):
            assert (line.first_signer, line.second_signer, line.decision_id) == (None, None, None)


LifeOfALine.TestCase.settings = settings(max_examples=examples(120), stateful_step_count=30, deadline=None)
TestLifeOfALine = LifeOfALine.TestCase
