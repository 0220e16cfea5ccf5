"""Carries steps of the rules into the database and the outbox; shared by what comes from topics, from people and by the clock."""

from collections.abc import Iterable, Sequence

from kit import telemetry
from kit.database import Transaction
from kit.events import Outgoing
from services.approvals import messages
from services.approvals.domain import arrivals, lifecycle
from services.approvals.domain.arrivals import Place
from services.approvals.domain.lifecycle import Moment, Step
from services.approvals.domain.line import ASKED, Line
from services.approvals.store import decisions, lines, recommendations

DECISIONS = telemetry.counter(
    "decisions_total", "Decisions by verdict; those by rule and by the system included", ("verdict",)
)


async def keep(
    tx: Transaction, tenant: str, changed: Iterable[Line], steps: Sequence[Step], moment: Moment
) -> list[Outgoing]:
    """Save lines and decisions of one transaction; returns what to tell the others, in the order it was decided, and at the
    end who answers for the lines that wait now."""
    saved = list(changed)
    await lines.save(tx, saved)
    await decisions.add(tx, tenant, [step.decision for step in steps])
    await recommendations.settle(tx, tenant, [line.line_id for line in saved])
    for step in steps:
        DECISIONS.labels(step.decision.verdict).inc()
    assigned = [messages.line_assigned(line, moment) for line in saved if line.state in ASKED]
    return [*(messages.decision_made(step.line, step.decision) for step in steps), *assigned]


async def assign_anew(tx: Transaction, tenant: str, moment: Moment) -> list[Outgoing]:
    """Give every waiting line the owner and deadline it has now: after owners or the matrix changed."""
    waiting = await lines.lock_asked(tx, tenant)
    return await keep(tx, tenant, [lifecycle.attended(line, moment) for line in waiting], [], moment)


async def take_those_behind(tx: Transaction, tenant: str, line: Line, moment: Moment) -> tuple[Line, list[Step]]:
    """After an approval was undone: let the recommendations that arrived while the line was held take their place."""
    steps: list[Step] = []
    for proposal in (await recommendations.behind(tx, tenant, [line.line_id])).get(line.line_id, []):
        arrival = arrivals.arrive(line, tenant, proposal, moment)
        line = arrival.line
        steps += arrival.steps
        await recommendations.place(tx, tenant, [proposal.recommendation_id], arrival.place.value)
    return line, steps


async def end_those_behind(
    tx: Transaction, tenant: str, released: Iterable[Line], moment: Moment
) -> tuple[list[Line], list[Step]]:
    """After lines were released: recommendations that arrived while they were held did not know of the order; they end."""
    by_id = {line.line_id: line for line in released}
    steps: list[Step] = []
    ended: list[str] = []
    for line_id, proposals in sorted((await recommendations.behind(tx, tenant, list(by_id))).items()):
        for proposal in proposals:
            step = arrivals.end_behind(by_id[line_id], proposal, moment)
            by_id[line_id] = step.line
            steps.append(step)
            ended.append(proposal.recommendation_id)
    if ended:
        await recommendations.place(tx, tenant, ended, Place.TOO_LATE.value)
    return list(by_id.values()), steps
