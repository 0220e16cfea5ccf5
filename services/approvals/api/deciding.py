"""Commands: decide one line, many lines, undo, cancel a released order."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from kit import outbox
from kit.clock import Clock
from kit.database import Database, Transaction
from kit.http import Problem
from kit.identity import Principal, require
from kit.relay import Relay
from services.approvals import carry, messages
from services.approvals.api import problems
from services.approvals.api.bodies import BulkIn, CancelIn, DecisionIn, etag, line_document
from services.approvals.api.once import Outcome, expected_version, idempotency_key, once, refused
from services.approvals.domain import authority, deciding
from services.approvals.domain.authority import Actor
from services.approvals.domain.deciding import Command
from services.approvals.domain.lifecycle import Action, Moment, Step
from services.approvals.domain.line import HELD, Line, State
from services.approvals.domain.refusals import Refusal
from services.approvals.moment import now_for
from services.approvals.settings import Settings
from services.approvals.store import lines, orders, terms

Caller = Annotated[Principal, Depends(require())]


class Desk:
    """Where decisions are made: locks the lines, asks the rules, carries what they say."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock

    async def decide(
        self, tx: Transaction, principal: Principal, wanted: list[tuple[str, int, Command]]
    ) -> list[Step | Problem]:
        """Decide each wanted (id, version, command) on its own; the answers are in the same order."""
        line_of = await lines.resolve(tx, principal.tenant, [name for name, _, _ in wanted])
        held = await lines.lock(tx, principal.tenant, line_of.values())
        moment_now = await now_for(tx, principal.tenant, self.settings, self.clock)
        days = await terms.business_dates(tx, principal.tenant, {line.proposal.location for line in held.values()})
        signed = await lines.signed_alone(
            tx, principal.tenant, [group for line in held.values() if (group := _group(line))]
        )
        actor = Actor(principal.subject, principal.roles)
        answers: list[Step | Problem] = []
        steps: list[Step] = []
        for name, version, command in wanted:
            line = held.get(line_of.get(name, ""))
            group = _group(line) if line else None
            moment = replace(
                moment_now,
                business_date=days.get(line.proposal.location, line.proposal.origin) if line else date.min,
                signed_before=signed.get(group, Decimal(0)) if group else Decimal(0),
            )
            answer = decide_one(line, name, version, command, actor, moment)
            if isinstance(answer, Step):
                steps.append(answer)
                if group and answer.line.state in HELD and not answer.line.needs_second:
                    signed[group] = moment.signed_before + answer.line.value
                if command.action is Action.UNDO:
                    # A recommendation that waited behind the held line may take its place at once.
                    after, more = await carry.take_those_behind(tx, principal.tenant, answer.line, moment)
                    steps += more
                    answer = Step(after, answer.decision)
                held[answer.line.line_id] = answer.line
            answers.append(answer)
        changed = {step.line.line_id: held[step.line.line_id] for step in steps}
        await outbox.enqueue(tx, await carry.keep(tx, principal.tenant, changed.values(), steps, moment_now))
        return answers

    async def cancel(self, tx: Transaction, principal: Principal, order_id: str, body: CancelIn) -> Outcome:
        """Take a released order back: a cancel order for the ERP, a recall on every line of it."""
        actor = Actor(principal.subject, principal.roles)
        order = await orders.lock(tx, principal.tenant, order_id)
        if order is None:
            return refused(Problem(404, "order_not_found", "No such order", f"There is no order {order_id[:64]!r}."))
        moment = await now_for(tx, principal.tenant, self.settings, self.clock)
        try:
            deciding.may_recall(actor, body.reason, body.note)
            deciding.demand_open(order_id, order["status"])
            # A line that was received, or went on to its item's next recommendation, stays; the rest of the order ends.
            standing = await lines.lock_of_order(tx, principal.tenant, order_id)
            of_order = [line for line in standing if line.state is State.RELEASED]
            steps = [deciding.recall(line, actor, moment, reason=body.reason, note=body.note) for line in of_order]
        except Refusal as refusal:
            return refused(problems.of_refusal(refusal))
        await orders.set_status(tx, principal.tenant, order_id, "cancelled", moment.now)
        says = await carry.keep(tx, principal.tenant, [step.line for step in steps], steps, moment)
        cancelled = messages.order_cancelled(
            principal.tenant, order_id, actor.subject, moment.now, body.reason, body.note
        )
        await outbox.enqueue(tx, [cancelled, *says])
        return (
            200,
            {"order_id": order_id, "status": "cancelled", "lines": [line_document(step.line) for step in steps]},
            None,
        )


def decide_one(
    line: Line | None, name: str, version: int, command: Command, actor: Actor, moment: Moment
) -> Step | Problem:
    """One decision by the rules, on the line as it is now, if it is what the person saw."""
    try:
        authority.may_decide(actor)
        if line is None:
            return problems.line_not_found(name)
        if name not in (line.line_id, line.proposal.recommendation_id):
            return problems.stale(line, "an older recommendation")
        if line.version != version:
            return problems.stale(line, f"version {version}")
        return deciding.decide(line, command, actor, moment)
    except Refusal as refusal:
        return problems.of_refusal(refusal)


def _group(line: Line) -> tuple[str, date] | None:
    """What one-signature approvals are added up by: supplier and order day; None for a line without a supplier."""
    return (line.proposal.supplier, line.proposal.order_on) if line.proposal.supplier is not None else None


def _answer(step: Step | Problem) -> dict[str, Any]:
    if isinstance(step, Problem):
        return {
            "status_code": step.status,
            "status": None,
            "version": None,
            "undo_until": None,
            "decision_id": None,
            "problem": step.document(""),
        }
    line = step.line
    return {
        "status_code": 200,
        "line_id": line.line_id,
        "recommendation_id": line.proposal.recommendation_id,
        "status": line.state.value,
        "version": line.version,
        "undo_until": line.undo_until.isoformat() if line.undo_until else None,
        "decision_id": step.decision.decision_id,
        "problem": None,
    }


def router(database: Database, relay: Relay, settings: Settings, clock: Clock) -> APIRouter:
    """The command routes."""
    routes = APIRouter(tags=["decisions"])
    desk = Desk(settings, clock)

    async def one(
        principal: Principal, request: Request, key: str | None, line_id: str, version: int, command: Command
    ) -> Response:
        async def work(tx: Transaction) -> Outcome:
            (answer,) = await desk.decide(tx, principal, [(line_id, version, command)])
            if isinstance(answer, Problem):
                return refused(answer)
            document = {
                name: value for name, value in _answer(answer).items() if name not in ("status_code", "problem")
            }
            return 200, document | {"line": line_document(answer.line)}, etag(answer.line.version)

        return await once(database, relay, principal, request, key, work)

    @routes.post("/lines/{line_id}/decisions", summary="Decide one line")
    async def decide(line_id: str, body: DecisionIn, principal: Caller, request: Request) -> Response:
        """`line_id` is the line's or its current recommendation's. Needs If-Match (428, 412) and Idempotency-Key (400)."""
        return await one(
            principal, request, idempotency_key(request), line_id, expected_version(request), body.command()
        )

    @routes.post("/lines/{line_id}/undo", summary="Take a decision back until its order is out")
    async def undo(line_id: str, principal: Caller, request: Request) -> Response:
        """Needs If-Match, which makes it harmless to repeat; an Idempotency-Key is honoured when it is sent."""
        key = idempotency_key(request) if "idempotency-key" in request.headers else None
        return await one(principal, request, key, line_id, expected_version(request), Command(Action.UNDO))

    @routes.post("/decisions:bulk", summary="Decide many lines, each on its own")
    async def bulk(body: BulkIn, principal: Caller, request: Request) -> Response:
        """Every line is decided at the version given with it; one that is refused does not hold up the others."""

        async def work(tx: Transaction) -> Outcome:
            wanted = [(line.recommendation_id, line.version, body.command(line.quantity)) for line in body.lines]
            answers = await desk.decide(tx, principal, wanted)
            results = [
                {"recommendation_id": line.recommendation_id} | _answer(answer)
                for line, answer in zip(body.lines, answers, strict=True)
            ]
            succeeded = sum(isinstance(answer, Step) for answer in answers)
            return 200, {"results": results, "succeeded": succeeded, "failed": len(results) - succeeded}, None

        return await once(database, relay, principal, request, idempotency_key(request), work)

    @routes.post("/orders/{order_id}/cancel", summary="Take a released order back")
    async def cancel(order_id: str, body: CancelIn, principal: Caller, request: Request) -> Response:
        """Publishes a cancel order; nothing is deleted. Needs Idempotency-Key."""

        async def work(tx: Transaction) -> Outcome:
            return await desk.cancel(tx, principal, order_id, body)

        return await once(database, relay, principal, request, idempotency_key(request), work)

    return routes
