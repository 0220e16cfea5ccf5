"""What every decision is judged by, in one look: limits, approval matrix and owners in force."""

from dataclasses import dataclass

import orjson

from kit.database import Transaction
from schemas.matrix import ApprovalMatrixPublished
from services.approvals.domain.authority import Limits
from services.approvals.domain.matrix import Owner, Scope


@dataclass(frozen=True, slots=True)
class InForce:
    """`matrix` is None before a tenant published its own."""

    limits: Limits
    matrix: ApprovalMatrixPublished | None
    owners: tuple[Owner, ...]


async def read(tx: Transaction, tenant: str, default: Limits) -> InForce:
    """Limits: the lowest that any published scope names, the default where none does. The lowest, because a line may be in
    several scopes: asking a person once too often is the cheaper mistake."""
    row = await tx.fetchrow(
        "select min(rule_value_limit) as rule, min(second_signature_above) as second, coalesce(max(policy_version), 0) as version,"
        " (select document from matrices where tenant = $1 order by version desc limit 1) as matrix,"
        " (select coalesce(jsonb_agg(jsonb_build_array(owner, suppliers, categories, locations) order by owner), '[]')"
        " from owner_scopes where tenant = $1) as owners"
        " from limits where tenant = $1",
        tenant,
    )
    assert row is not None, "an aggregate without groups is one row"
    limits = Limits(
        default.rule_value_limit if row["rule"] is None else row["rule"],
        default.second_signature_above if row["second"] is None else row["second"],
        row["version"],
    )
    matrix = ApprovalMatrixPublished.model_validate_json(row["matrix"]) if row["matrix"] is not None else None
    return InForce(limits, matrix, tuple(_owner(*entry) for entry in orjson.loads(row["owners"])))


def _owner(owner: str, suppliers: list[str], categories: list[str], locations: list[str]) -> Owner:
    return Owner(owner, Scope(frozenset(suppliers), frozenset(categories), frozenset(locations)))
