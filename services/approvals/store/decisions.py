"""Decisions: added once, never changed."""

from collections.abc import Sequence
from typing import Any

from kit.database import Transaction
from services.approvals.domain.lifecycle import Decision


async def add(tx: Transaction, tenant: str, made: Sequence[Decision]) -> None:
    """Write decisions down. A second decision for the same version of a line breaks the primary key, and with it everything."""
    await tx.executemany(
        "insert into decisions (tenant, line_id, version, decision_id, recommendation_id, verdict, quantity_before, quantity, value, decided_by,"
        " role, decided_at, reason, note, snoozed_until, rule_value_limit, second_signature_above, policy_version, needs_second, first_signer,"
        " second_signer, amended_by, asked_by, matrix_version)"
        " values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24)",
        [
            (
                tenant,
                d.line_id,
                d.version,
                d.decision_id,
                d.recommendation_id,
                d.verdict,
                d.quantity_before,
                d.quantity,
                d.value,
                d.by,
                d.role,
                d.at,
                d.reason,
                d.note,
                d.snoozed_until,
                d.limits.rule_value_limit,
                d.limits.second_signature_above,
                d.limits.policy_version,
                d.needs_second,
                d.first_signer,
                d.second_signer,
                d.amended_by,
                list(d.asked_by),
                d.matrix_version,
            )
            for d in made
        ],
    )


async def of_line(tx: Transaction, tenant: str, line_id: str) -> list[Any]:
    """The decisions of a line, first to last."""
    return await tx.fetch(
        "select decision_id, recommendation_id, version, verdict, quantity_before, quantity, value, decided_by, role, decided_at, reason, note,"
        " snoozed_until, asked_by, matrix_version from decisions where tenant = $1 and line_id = $2 order by version",
        tenant,
        line_id,
    )
