"""Versions of the policy parameters."""

import json
from typing import Any

from kit.database import Transaction
from schemas.recommendations import PolicyPublished
from services.policy.domain.evidence import Policy
from services.policy.domain.parameters import Parameters, parse_parameters
from services.policy.domain.refusal import PolicyRefusal

DEFAULT_SCOPE = "default"


async def keep(tx: Transaction, tenant: str, published: PolicyPublished) -> None:
    """Keep a version; a version once published never changes."""
    await tx.execute(
        "insert into policies (tenant, scope, version, valid_from, parameters, published_by, reason)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, scope, version) do nothing",
        tenant,
        published.scope,
        published.version,
        published.valid_from,
        json.dumps(published.parameters),
        published.published_by,
        published.reason,
    )


async def versions(tx: Transaction, tenant: str) -> list[dict[str, Any]]:
    """All versions, newest first in each scope."""
    rows = await tx.fetch(
        "select scope, version, valid_from, parameters, published_by, reason from policies where tenant = $1"
        " order by scope, version desc",
        tenant,
    )
    return [dict(row) | {"parameters": json.loads(row["parameters"])} for row in rows]


async def current(tx: Transaction, tenant: str) -> Policy | None:
    """The newest version of the tenant's default scope; None before the first. One that contradicts itself is refused."""
    row = await tx.fetchrow(
        "select version, parameters from policies where tenant = $1 and scope = $2 order by version desc limit 1",
        tenant,
        DEFAULT_SCOPE,
    )
    if row is None:
        return None
    try:
        parameters = parse_parameters(json.loads(row["parameters"]), ignore_unknown=True)
    except PolicyRefusal as refusal:
        return Policy(DEFAULT_SCOPE, row["version"], Parameters(), refusal.explanation)
    return Policy(DEFAULT_SCOPE, row["version"], parameters)
