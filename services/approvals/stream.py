"""Recommendations and policies in; the queue and decisions by rule out. Judgement is in `domain`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from kit import names
from kit.clock import Clock
from kit.consumer import BatchConsumer
from kit.database import Transaction
from kit.errors import Rejected
from kit.events import Outgoing, Received
from schemas.catalogue import ItemDefined, OwnerScopeDefined, ReferenceAliasDefined
from schemas.matrix import ApprovalMatrixPublished
from schemas.recommendations import PolicyPublished, RecommendationIssued, RecommendationWithheld
from schemas.topics import CATALOGUE, ORDER_UPDATES, POLICIES, RECOMMENDATIONS
from services.approvals import carry, messages
from services.approvals.domain import arrivals
from services.approvals.domain.arrivals import Place
from services.approvals.domain.lifecycle import Moment, Step
from services.approvals.domain.line import Line, Proposal
from services.approvals.moment import now_for
from services.approvals.order_answers import OrderAnswers
from services.approvals.settings import Settings
from services.approvals.store import lines, matrices, recommendations, terms

# What the limits are called among the policy's parameters.
RULE_LIMIT, SECOND_LIMIT = "auto_approve_value_limit", "second_signature_above"


class Intake:
    """The handlers, with what they need to know: settings, the clock for undo windows, and who hears answers to orders.

    In a replay nothing is asked, decided or assigned: that happened when the events came first.
    """

    def __init__(self, settings: Settings, clock: Clock, answers: OrderAnswers, *, is_replay: bool = False) -> None:
        self._settings = settings
        self._clock = clock
        self._answers = answers
        self._is_replay = is_replay

    async def receive(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Put recommendations into the queue, in order; end what is withheld; let business days end snoozes."""
        if self._is_replay:
            await terms.advance(tx, tenant, business_days(event.body for event in events))
            return []
        moment = await now_for(tx, tenant, self._settings, self._clock)
        batch = await _Batch.load(tx, tenant, [event.body for event in events])
        for event in events:
            batch.take(event.body, moment)
        await recommendations.add(tx, tenant, batch.arrived)
        says = await carry.keep(tx, tenant, batch.changed.values(), batch.steps, moment)
        return [*says, *await self._close_days(tx, tenant, business_days(event.body for event in events), moment)]

    async def _close_days(
        self, tx: Transaction, tenant: str, days: Mapping[str, date], moment: Moment
    ) -> list[Outgoing]:
        moved = await terms.advance(tx, tenant, days)
        if not moved:
            return []
        expires_after = timedelta(days=self._settings.line_expires_after_days)
        touched = await lines.lock_touched_by_day(tx, tenant, list(moved), list(moved.values()), expires_after.days)
        steps = []
        for line in touched:
            at = replace(moment, business_date=moved[line.proposal.location])
            step = arrivals.on_business_date(line, at, expires_after=expires_after)
            if step is not None:
                steps.append(step)
        return await carry.keep(tx, tenant, [step.line for step in steps], steps, moment)

    async def define(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Keep what the catalogue says of categories and owners; waiting lines go to their new owners, waiting answers to
        the orders their codes mean."""
        bodies = [event.body for event in events]
        codes = [event for event in events if isinstance(event.body, ReferenceAliasDefined)]
        says = await self._answers.free(tx, tenant) if await names.tell(tx, tenant, codes) else []
        await matrices.define_categories(tx, tenant, [one for one in bodies if isinstance(one, ItemDefined)])
        owners = [one for one in bodies if isinstance(one, OwnerScopeDefined)]
        if not owners:
            return says
        await matrices.define_owners(tx, tenant, owners)
        if self._is_replay:
            return says
        moment = await now_for(tx, tenant, self._settings, self._clock)
        return [*says, *await carry.assign_anew(tx, tenant, moment)]

    async def publish_limits(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Sequence[Outgoing]:
        """Put the limits of newly published policies in force, and newly published matrices that are not yet."""
        says: list[Outgoing] = []
        for event in events:
            body = event.body
            is_new = isinstance(body, ApprovalMatrixPublished) and await matrices.add(tx, body, self._clock.now())
            if is_new and not self._is_replay:
                says += await carry.assign_anew(tx, tenant, await now_for(tx, tenant, self._settings, self._clock))
            if isinstance(body, PolicyPublished):
                rule, second = (limit_of(body.parameters, name) for name in (RULE_LIMIT, SECOND_LIMIT))
                await terms.publish_limits(tx, tenant, body.scope, body.version, rule, second)
        return says


class _Batch:
    """The lines one batch touches, and what becomes of them."""

    def __init__(
        self,
        tenant: str,
        known: set[str],
        held: dict[str, Line],
        line_of: dict[str, str],
        category_of: dict[str, str | None],
    ) -> None:
        self._tenant = tenant
        self._category_of = category_of
        self._known = known
        self._lines = held
        self._line_of = line_of
        self.changed: dict[str, Line] = {}
        self.steps: list[Step] = []
        self.arrived: list[tuple[Proposal, str]] = []

    @staticmethod
    async def load(tx: Transaction, tenant: str, bodies: Sequence[Any]) -> "_Batch":
        """Lock every line these messages may touch, all at once and in order."""
        issued = [body for body in bodies if isinstance(body, RecommendationIssued)]
        withdrawn = [body.supersedes for body in bodies if isinstance(body, RecommendationWithheld) and body.supersedes]
        line_of = await lines.resolve(tx, tenant, withdrawn)
        held = await lines.lock(tx, tenant, [*line_of.values(), *(body.line_id for body in issued)])
        known = await recommendations.known(tx, tenant, [body.recommendation_id for body in issued])
        category_of = await matrices.categories(tx, tenant, [body.sku for body in issued])
        return _Batch(tenant, known, held, line_of, category_of)

    def take(self, body: Any, moment: Moment) -> None:
        """One message, after those before it."""
        if isinstance(body, RecommendationIssued):
            self._issue(messages.proposal_of(body), moment)
        elif isinstance(body, RecommendationWithheld):
            self._withhold(body, moment)

    def _issue(self, proposal: Proposal, moment: Moment) -> None:
        if proposal.recommendation_id in self._known:
            return  # the same recommendation under another event id: it has its place already
        self._known.add(proposal.recommendation_id)
        self._line_of[proposal.recommendation_id] = proposal.line_id
        category = self._category_of.get(proposal.sku)
        arrival = arrivals.arrive(self._lines.get(proposal.line_id), self._tenant, proposal, moment, category)
        self._keep(arrival.line, arrival.steps)
        self.arrived.append((proposal, arrival.place.value if arrival.place is not Place.CURRENT else "current"))

    def _withhold(self, body: RecommendationWithheld, moment: Moment) -> None:
        line = self._lines.get(self._line_of.get(body.supersedes or "", ""))
        # Only what the message names ends: a fresher proposal on the same line is not what the policy service took back.
        if line is None or line.proposal.recommendation_id != body.supersedes:
            return
        step = arrivals.withdraw(line, body.reason, moment)
        if step is not None:
            self._keep(step.line, (step,))

    def _keep(self, line: Line, steps: Sequence[Step]) -> None:
        self._lines[line.line_id] = self.changed[line.line_id] = line
        self.steps += steps


def business_days(bodies: Iterable[Any]) -> dict[str, date]:
    """The newest closed business day of each location that these messages tell of."""
    days: dict[str, date] = {}
    for body in bodies:
        if body.origin is not None:
            days[body.location] = max(body.origin, days.get(body.location, date.min))
    return days


def limit_of(parameters: Mapping[str, Any], name: str) -> Decimal | None:
    """A money limit of a policy; None when the policy does not name it. Raises Rejected: invalid_limit."""
    value = parameters.get(name)
    if value is None:
        return None
    try:
        limit = Decimal(str(value))
    except InvalidOperation:
        limit = Decimal("NaN")
    if not limit.is_finite() or limit < 0:
        raise Rejected(
            "invalid_limit", f"policy parameter {name} is {value!r}, needs a money value of zero or more", field=name
        )
    return limit


def attach(consumer: BatchConsumer, settings: Settings, clock: Clock, *, is_replay: bool = False) -> OrderAnswers:
    """Consume policies and the catalogue first (limits, matrix and owners must be known before anything passes by rule), then
    recommendations and order updates. Returns who hears the answers to orders, for those that wait."""
    answers = OrderAnswers(clock, is_replay=is_replay)
    intake = Intake(settings, clock, answers, is_replay=is_replay)
    consumer.on((POLICIES,), intake.publish_limits, first=True)
    consumer.on((CATALOGUE,), intake.define, first=True)
    consumer.on((RECOMMENDATIONS,), intake.receive)
    consumer.on((ORDER_UPDATES,), answers.update_orders)
    return answers
