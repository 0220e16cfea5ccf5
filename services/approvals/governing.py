"""Changing the approval matrix: one person proposes, another puts it in force; who is away delegates their own seat at once."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from kernel.ids import derived_id
from kit import outbox
from kit.clock import Clock
from kit.database import Transaction
from kit.http import Problem
from kit.identity import Principal
from schemas.matrix import ApprovalMatrixPublished, Delegation
from services.approvals import carry, matrix_messages
from services.approvals.domain.authority import Limits
from services.approvals.domain.lifecycle import Moment
from services.approvals.domain.matrix import Matrix, demand
from services.approvals.moment import now_for
from services.approvals.settings import Settings
from services.approvals.store import lines, matrices

# Who may change the rules. That these persons cannot also use them on their own is what the second person is for.
GOVERNS = ("approver", "admin")
PARTS = ("rules", "coverage", "delegations", "rolling_value_above", "limits_reading")


def parsed(tenant: str, document: dict[str, Any], *, version: int, by: str, approved_by: str, reason: str) -> Any:
    """The proposed parts as a version of the matrix. Raises Problem 422 that names every field that is wrong."""
    unknown = sorted(set(document) - set(PARTS))
    if unknown:
        raise _invalid([{"field": unknown[0], "reason": f"is not one of {', '.join(PARTS)}"}])
    heading = {"version": version, "tenant": tenant, "proposed_by": by, "approved_by": approved_by, "reason": reason}
    try:
        matrix = ApprovalMatrixPublished.model_validate(document | heading)
    except ValidationError as error:
        raise _invalid(
            [{"field": ".".join(map(str, one["loc"])), "reason": one["msg"]} for one in error.errors()]
        ) from error
    codes = [rule.code for rule in matrix.rules]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise _invalid([{"field": "rules", "reason": f"the code {twice[0]} is there twice; every rule has its own"}])
    return matrix


def _invalid(errors: list[dict[str, str]]) -> Problem:
    return Problem(
        422,
        "matrix_invalid",
        "This is not an approval matrix",
        "Correct the named fields and propose again.",
        errors=errors,
    )


class Council:
    """The commands on the matrix; each runs in the caller's transaction."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def propose(
        self, tx: Transaction, principal: Principal, document: dict[str, Any], reason: str, key: str
    ) -> dict[str, Any]:
        """Keep a proposal and show what it would change for the lines that wait now. Raises Problem 422."""
        await matrices.lock(tx, principal.tenant)
        base = await matrices.newest(tx, principal.tenant)
        version = (base.version if base else 0) + 1
        by = principal.subject
        wanted = parsed(principal.tenant, document, version=version, by=by, approved_by=by, reason=reason)
        proposal_id = derived_id("matrix-proposal", principal.tenant, by, key)
        kept = wanted.model_dump(mode="json", include=set(PARTS))
        await matrices.propose(
            tx,
            principal.tenant,
            proposal_id,
            base_version=version - 1,
            document=kept,
            reason=reason,
            by=by,
            now=self._clock.now(),
        )
        return {"proposal_id": proposal_id, "base_version": version - 1, "effect": await self.effect(tx, wanted)}

    async def effect(self, tx: Transaction, wanted: ApprovalMatrixPublished) -> dict[str, Any]:
        """What another matrix would ask of the lines that wait now: how many need more consent, how many less."""
        now = await now_for(tx, wanted.tenant, self._settings, self._clock)
        return await self._difference(tx, wanted.tenant, now, matrix_messages.matrix_of(wanted), now.limits)

    async def effect_of_limits(self, tx: Transaction, tenant: str, second_signature_above: Decimal) -> dict[str, Any]:
        """What another limit of one signature would ask of the lines that wait now."""
        now = await now_for(tx, tenant, self._settings, self._clock)
        limits = replace(now.limits, second_signature_above=second_signature_above)
        return await self._difference(tx, tenant, now, now.matrix, limits)

    async def _difference(
        self, tx: Transaction, tenant: str, now: Moment, matrix: Matrix, limits: Limits
    ) -> dict[str, Any]:
        waiting = await lines.asked(tx, tenant)
        more, less, changed = 0, 0, []
        for line in waiting:
            before = demand(now.matrix, now.limits, line, line.value, now.signed_before)
            after = demand(matrix, limits, line, line.value, now.signed_before)
            more += after.signatures > before.signatures
            less += after.signatures < before.signatures
            if after.signatures != before.signatures:
                names = (before.signatures.name.lower(), after.signatures.name.lower())
                changed.append({"line_id": line.line_id, "before": names[0], "after": names[1]})
        return {"waiting": len(waiting), "more": more, "less": less, "changed": changed[:50]}

    async def approve(self, tx: Transaction, principal: Principal, proposal_id: str) -> ApprovalMatrixPublished:
        """Put a proposal in force. Raises Problem 404, 409 (own proposal, decided, out of date)."""
        proposal = await self._open(tx, principal, proposal_id)
        if proposal["proposed_by"] == principal.subject:
            raise Problem(
                409, "own_proposal", "This is your own proposal", "Another approver or administrator puts it in force."
            )
        base = await matrices.newest(tx, principal.tenant)
        current = base.version if base else 0
        if proposal["base_version"] != current:
            raise Problem(
                409,
                "proposal_out_of_date",
                "The rules changed since this was proposed",
                f"It was proposed for version {proposal['base_version']}, version {current} is in force; propose it again.",
            )
        published: ApprovalMatrixPublished = parsed(
            principal.tenant,
            proposal["document"],
            version=current + 1,
            by=proposal["proposed_by"],
            approved_by=principal.subject,
            reason=proposal["reason"],
        )
        await matrices.end(tx, principal.tenant, proposal_id, "published", principal.subject, self._clock.now())
        await self._publish(tx, published)
        return published

    async def end(self, tx: Transaction, principal: Principal, proposal_id: str) -> str:
        """Withdraw one's own proposal, decline another's. Raises Problem 404, 409."""
        proposal = await self._open(tx, principal, proposal_id)
        state = "withdrawn" if proposal["proposed_by"] == principal.subject else "declined"
        await matrices.end(tx, principal.tenant, proposal_id, state, principal.subject, self._clock.now())
        return state

    async def delegate(self, tx: Transaction, principal: Principal, given: Delegation) -> ApprovalMatrixPublished:
        """Give one's own seat to another person for some days; in force at once, as a version of the matrix."""
        await matrices.lock(tx, principal.tenant)
        base = await matrices.newest(tx, principal.tenant)
        names = {"proposed_by": principal.subject, "approved_by": principal.subject, "reason": given.reason}
        if base is None:
            rules = matrix_messages.default_rules()
            published = ApprovalMatrixPublished(
                tenant=principal.tenant, version=1, rules=rules, delegations=(given,), **names
            )
        else:
            others = tuple(one for one in base.delegations if one != given)
            version = {"version": base.version + 1, "delegations": (*others, given)}
            published = base.model_copy(update=version | names)
        await self._publish(tx, published)
        return published

    async def _open(self, tx: Transaction, principal: Principal, proposal_id: str) -> dict[str, Any]:
        await matrices.lock(tx, principal.tenant)
        proposal = await matrices.proposal(tx, principal.tenant, proposal_id)
        if proposal is None:
            raise Problem(404, "proposal_not_found", "No such proposal", f"There is no proposal {proposal_id[:64]!r}.")
        if proposal["state"] != "open":
            told = f"{proposal['decided_by']} has {proposal['state']} it already"
            raise Problem(409, "proposal_decided", "This proposal is not open any more", f"{told}; propose anew.")
        return proposal

    async def _publish(self, tx: Transaction, published: ApprovalMatrixPublished) -> None:
        await matrices.add(tx, published, self._clock.now())
        moment = await now_for(tx, published.tenant, self._settings, self._clock)
        says = await carry.assign_anew(tx, published.tenant, moment)
        await outbox.enqueue(tx, [matrix_messages.matrix_published(published, moment.now), *says])
