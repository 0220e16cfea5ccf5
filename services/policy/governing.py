"""Changing the policy parameters: one person proposes and sees the effect first, another puts them in force."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from kernel.ids import derived_id
from kit import outbox
from kit.database import Database, Transaction
from kit.events import outgoing
from kit.http import Problem
from kit.identity import Principal
from schemas.recommendations import PolicyPublished
from services.policy import planner
from services.policy.domain.classes import DAYS_MIN
from services.policy.domain.comparison import compare, under
from services.policy.domain.evidence import Evidence, Policy
from services.policy.domain.parameters import NAMES, parse_parameters
from services.policy.domain.refusal import PolicyRefusal
from services.policy.pareto import for_people, report
from services.policy.pareto_history import History, Origin, report_on
from services.policy.planned import SERVICE
from services.policy.store import classes, plans, policies, proposals, runs, sold
from services.policy.store import evidence as evidence_store

# Who may change the rules; that nobody can alone is what the second person is for.
GOVERNS = ("approver", "admin")
# Items of one preview: two seconds of planning. Those with an open line come first, the others fill up.
ITEMS_MAX = 2_000
PROPOSALS_SHOWN = 50


def wanted(current: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The parameters in force with these changes, in the words of the contract. Raises Problem 422 naming the field."""
    unknown = sorted(set(changes) - set(NAMES))
    if unknown:
        raise _invalid(unknown[0], f"is no parameter; known are {', '.join(NAMES)}")
    together = current | {name: str(value) for name, value in changes.items()}
    try:
        parse_parameters(together, ignore_unknown=True)
    except PolicyRefusal as refusal:
        name, _, why = refusal.explanation.partition(": ")
        raise _invalid(name, why) from refusal
    if all(_same(current.get(name), value) for name, value in changes.items()):
        raise _invalid("parameters", "are those in force already; change at least one of them")
    return together


def _same(now: Any, then: Any) -> bool:
    try:
        return Decimal(str(now)) == Decimal(str(then))
    except ArithmeticError:
        return str(now) == str(then)


def _invalid(field: str, why: str) -> Problem:
    return Problem(
        422,
        "policy_invalid",
        "These parameters cannot be put in force",
        f"{field}: {why}",
        errors=[{"field": field, "reason": why}],
    )


async def in_force(tx: Transaction, tenant: str) -> tuple[int, dict[str, Any]]:
    """The newest version and all of its parameters, those it leaves out with their defaults."""
    found = [one for one in await policies.versions(tx, tenant) if one["scope"] == policies.DEFAULT_SCOPE]
    version, parameters = (found[0]["version"], found[0]["parameters"]) if found else (0, {})
    return version, {**planner.default_policy().parameters.as_text(), **parameters}


class Council:
    """The commands on the parameters. Commands run in the caller's transaction; previews read in one of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def preview(self, tenant: str, changes: dict[str, Any]) -> dict[str, Any]:
        """What the change would do to the newest evidence of the items, and from which version it was reckoned.

        Raises Problem 422. Planned away from the event loop: two thousand items take a second or two.
        """
        async with self._database.transaction(tenant) as tx:
            version, current = await in_force(tx, tenant)
            then = parse_parameters(wanted(current, changes), ignore_unknown=True)
            known = await runs.count_items(tx, tenant)
            evidences = await newest_evidence(tx, tenant, await plans.open_first(tx, tenant, ITEMS_MAX))
        after = under(evidences, Policy(policies.DEFAULT_SCOPE, version + 1, then))
        effect = await asyncio.to_thread(compare, evidences, after)
        return {"base_version": version, "known_items": known} | effect

    async def weights(self, tenant: str) -> dict[str, Any]:
        """What other weights of service, cost and risk would lead to, beside the parameters in force, for all items looked at
        and by class: on the forecasts, and (`history`) on the days the classes stand on, once there are enough of them.
        Reckoned away from the event loop: two thousand items take a second or two."""
        async with self._database.transaction(tenant) as tx:
            version, _current = await in_force(tx, tenant)
            known = await runs.count_items(tx, tenant)
            evidences = await newest_evidence(tx, tenant, await plans.open_first(tx, tenant, ITEMS_MAX))
            past = await _past(tx, tenant, evidences)
        found = await asyncio.to_thread(report, evidences)
        told = None
        if past is not None:
            told = for_people(await asyncio.to_thread(report_on, past, [Origin(past.first_day, evidences)]))
        currencies = {one.item.currency for one in evidences if one.item is not None and one.item.currency}
        currency = currencies.pop() if len(currencies) == 1 else None
        return {"version": version, "known_items": known, "currency": currency, "history": told} | for_people(found)

    async def propose(
        self,
        tx: Transaction,
        principal: Principal,
        changes: dict[str, Any],
        effect: dict[str, Any],
        reason: str,
        key: str,
    ) -> dict[str, Any]:
        """Keep a proposal with the effect that was shown. Raises Problem 422; 409 when the parameters changed since."""
        await proposals.lock(tx, principal.tenant)
        version, current = await in_force(tx, principal.tenant)
        _demand_base(effect["base_version"], version)
        wanted(current, changes)
        proposal_id = derived_id("policy-proposal", principal.tenant, principal.subject, key)
        await proposals.add(
            tx,
            principal.tenant,
            proposal_id,
            base_version=version,
            parameters={name: str(value) for name, value in changes.items()},
            effect=effect,
            reason=reason,
            by=principal.subject,
            now=datetime.now(UTC),
        )
        kept = await proposals.get(tx, principal.tenant, proposal_id)
        assert kept is not None
        return kept

    async def approve(self, tx: Transaction, principal: Principal, proposal_id: str) -> PolicyPublished:
        """Put a proposal in force: the version is kept and published. Raises Problem 404, 409 (own, decided, out of date)."""
        proposal = await self._open(tx, principal, proposal_id)
        if proposal["proposed_by"] == principal.subject:
            raise Problem(
                409, "own_proposal", "This is your own proposal", "Another approver or administrator puts it in force."
            )
        version, current = await in_force(tx, principal.tenant)
        _demand_base(proposal["base_version"], version)
        now = datetime.now(UTC)
        day = await runs.business_date(tx, principal.tenant, runs.EVERYTHING)
        published = PolicyPublished(
            tenant=principal.tenant,
            scope=policies.DEFAULT_SCOPE,
            version=version + 1,
            valid_from=day or now.date(),
            parameters=wanted(current, proposal["parameters"]),
            published_by=f"{proposal['proposed_by']}+{principal.subject}"[:64],
            reason=proposal["reason"],
        )
        await policies.keep(tx, principal.tenant, published)
        await proposals.end(tx, principal.tenant, proposal_id, "published", principal.subject, now, published.version)
        await outbox.enqueue(tx, [outgoing(published, service=SERVICE, cause=proposal_id, time=now)])
        return published

    async def end(self, tx: Transaction, principal: Principal, proposal_id: str) -> str:
        """Withdraw one's own proposal, decline another's. Raises Problem 404, 409."""
        proposal = await self._open(tx, principal, proposal_id)
        state = "withdrawn" if proposal["proposed_by"] == principal.subject else "declined"
        await proposals.end(tx, principal.tenant, proposal_id, state, principal.subject, datetime.now(UTC))
        return state

    async def _open(self, tx: Transaction, principal: Principal, proposal_id: str) -> dict[str, Any]:
        await proposals.lock(tx, principal.tenant)
        proposal = await proposals.get(tx, principal.tenant, proposal_id)
        if proposal is None:
            raise Problem(404, "proposal_not_found", "No such proposal", f"There is no proposal {proposal_id[:64]!r}.")
        if proposal["state"] != "open":
            told = f"{proposal['decided_by']} has {proposal['state']} it already"
            raise Problem(409, "proposal_decided", "This proposal is not open any more", f"{told}; propose anew.")
        return proposal


def _demand_base(base: int, current: int) -> None:
    if base != current:
        raise Problem(
            409,
            "proposal_out_of_date",
            "The rules changed since this was proposed",
            f"It was reckoned from version {base}, version {current} is in force; look at the effect again.",
        )


async def _past(tx: Transaction, tenant: str, evidences: list[Evidence]) -> History | None:
    """What these items were asked for on the days the classes stand on; None while those are too few to judge by."""
    window = await classes.window(tx, tenant)
    if window is None or (window[1] - window[0]).days + 1 < DAYS_MIN:
        return None
    items = [(one.sku, one.location) for one in evidences]
    return History(window[0], await sold.asked_for(tx, tenant, items, *window))


async def newest_evidence(tx: Transaction, tenant: str, items: list[tuple[str, str]]) -> list[Evidence]:
    """What the next plan of these items would be computed from, without leaving a trace."""
    policy = await policies.current(tx, tenant) or planner.default_policy()
    return [evidence for evidence, _previous in await evidence_store.read(tx, tenant, items, policy)]
