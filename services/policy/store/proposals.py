"""Proposals to change the policy parameters, as they are kept: who wants what, with which effect, and what became of it."""

from datetime import datetime
from typing import Any

import orjson

from kit.database import Transaction

COLUMNS = "proposal_id, base_version, parameters, effect, reason, proposed_by, proposed_at, state, decided_by, decided_at, version"


async def lock(tx: Transaction, tenant: str) -> None:
    """One change of a tenant's parameters at a time, until the transaction ends."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 5))", f"policy.parameters\x1f{tenant}")


async def add(
    tx: Transaction,
    tenant: str,
    proposal_id: str,
    *,
    base_version: int,
    parameters: dict[str, Any],
    effect: dict[str, Any],
    reason: str,
    by: str,
    now: datetime,
) -> None:
    """Keep a proposal, open, with the effect its author was shown; the same one sent twice is kept once."""
    await tx.execute(
        "insert into policy_proposals (tenant, proposal_id, base_version, parameters, effect, reason, proposed_by, proposed_at,"
        " state) values ($1, $2, $3, $4, $5, $6, $7, $8, 'open') on conflict (tenant, proposal_id) do nothing",
        tenant,
        proposal_id,
        base_version,
        orjson.dumps(parameters).decode(),
        orjson.dumps(effect).decode(),
        reason,
        by,
        now,
    )


async def newest(tx: Transaction, tenant: str, limit: int) -> list[dict[str, Any]]:
    """Proposals, newest first."""
    rows = await tx.fetch(
        f"select {COLUMNS} from policy_proposals where tenant = $1 order by proposed_at desc, proposal_id limit $2",
        tenant,
        limit,
    )
    return [_proposal(row) for row in rows]


async def get(tx: Transaction, tenant: str, proposal_id: str) -> dict[str, Any] | None:
    """One proposal; the caller holds the tenant's lock when it is going to decide."""
    row = await tx.fetchrow(
        f"select {COLUMNS} from policy_proposals where tenant = $1 and proposal_id = $2", tenant, proposal_id
    )
    return _proposal(row) if row is not None else None


async def end(
    tx: Transaction, tenant: str, proposal_id: str, state: str, by: str, now: datetime, version: int | None = None
) -> None:
    """A proposal is published (as this version), declined or withdrawn."""
    await tx.execute(
        "update policy_proposals set state = $3, decided_by = $4, decided_at = $5, version = $6"
        " where tenant = $1 and proposal_id = $2",
        tenant,
        proposal_id,
        state,
        by,
        now,
        version,
    )


def _proposal(row: Any) -> dict[str, Any]:
    return dict(row) | {"parameters": orjson.loads(row["parameters"]), "effect": orjson.loads(row["effect"])}
