"""Between the contract of the approval matrix and the rules that follow it."""

from datetime import datetime, timedelta
from typing import Any

import schemas.matrix
from kit.events import Outgoing, outgoing
from schemas.matrix import ApprovalMatrixPublished, ApprovalRule
from services.approvals.domain.default_matrix import DEFAULT
from services.approvals.domain.matrix import Delegation, Matrix, Rule, Scope, Signatures

SERVICE = "approvals"
SIGNATURES: dict[Signatures, schemas.matrix.Signatures] = {
    Signatures.ONE: "one",
    Signatures.APPROVER: "approver",
    Signatures.TWO: "two",
}
HOUR = timedelta(hours=1)


def matrix_of(published: ApprovalMatrixPublished | None) -> Matrix:
    """The matrix in force, as the rules understand it."""
    if published is None:
        return DEFAULT
    return Matrix(
        version=published.version,
        rules=tuple(
            Rule(
                code=rule.code,
                says=rule.says,
                scope=_scope(rule.scope),
                reasons=frozenset(rule.reasons),
                actions=frozenset(rule.actions),
                value_above=rule.value_above,
                signatures=Signatures[rule.signatures.upper()],
                sla=timedelta(hours=rule.sla_hours) if rule.sla_hours is not None else None,
                escalate_to=rule.escalate_to,
            )
            for rule in published.rules
        ),
        coverage=tuple((one.subject, _scope(one.scope)) for one in published.coverage),
        delegations=tuple(
            Delegation(one.delegator, one.delegate, one.starts, one.ends) for one in published.delegations
        ),
        rolling_value_above=published.rolling_value_above,
    )


def _scope(scope: schemas.matrix.Scope) -> Scope:
    return Scope(frozenset(scope.suppliers), frozenset(scope.categories), frozenset(scope.locations))


def matrix_published(published: ApprovalMatrixPublished, now: datetime) -> Outgoing:
    """A version of the matrix, as the others read it."""
    return outgoing(published, service=SERVICE, cause=f"{published.tenant}/matrix/{published.version}", time=now)


def default_rules() -> tuple[ApprovalRule, ...]:
    """The built-in rules as a tenant's first own version begins with them."""
    return tuple(
        ApprovalRule(
            code=rule.code,
            says=rule.says,
            reasons=tuple(sorted(rule.reasons)),
            actions=tuple(sorted(rule.actions)),
            value_above=rule.value_above,
            signatures=SIGNATURES[rule.signatures],
            sla_hours=rule.sla // HOUR if rule.sla is not None else None,
            escalate_to=rule.escalate_to,
        )
        for rule in DEFAULT.rules
    )


def matrix_document(published: ApprovalMatrixPublished | None) -> dict[str, Any]:
    """The matrix in force as callers see it; version 0 is the built-in one."""
    if published is not None:
        return published.model_dump(mode="json", exclude={"tenant"})
    rules = [rule.model_dump(mode="json") for rule in default_rules()]
    nobody: dict[str, Any] = {"coverage": [], "delegations": []}
    return {"version": 0, "rules": rules, **nobody, "rolling_value_above": None, "limits_reading": False}
