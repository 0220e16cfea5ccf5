"""Every version of every recommendation, once, and whether it is the one its line proposes now."""

from collections.abc import Iterable, Sequence

from kit.database import Transaction
from services.approvals.domain.line import Proposal
from services.approvals.store.lines import PROPOSAL, proposal_of


async def known(tx: Transaction, tenant: str, recommendation_ids: Iterable[str]) -> set[str]:
    """Which of these arrived before."""
    rows = await tx.fetch(
        "select recommendation_id from recommendations where tenant = $1 and recommendation_id = any($2::text[])",
        tenant,
        list(recommendation_ids),
    )
    return {row["recommendation_id"] for row in rows}


async def add(tx: Transaction, tenant: str, arrived: Sequence[tuple[Proposal, str]]) -> None:
    """Keep proposals that arrived, each with its place."""
    marks = ", ".join(f"${number}" for number in range(1, 3 + len(PROPOSAL.split(","))))
    await tx.executemany(
        f"insert into recommendations (tenant, place, {PROPOSAL}) values ({marks})",
        [
            (tenant, place, *(_plain(getattr(proposal, name.strip())) for name in PROPOSAL.split(",")))
            for proposal, place in arrived
        ],
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


async def settle(tx: Transaction, tenant: str, line_ids: Iterable[str]) -> None:
    """Mark what a line no longer proposes as superseded; run after the lines are saved.

    Each line is looked up by its key and never joined: while a plan comes in, Postgres takes the tables for the small ones
    they were and would compare every line with every recommendation (2.7, 6.3, then 16.8 s for 5,000 of them).
    """
    await tx.execute(
        "update recommendations r set place = 'superseded' where r.tenant = $1 and r.line_id = any($2::text[]) and r.place = 'current'"
        " and r.recommendation_id <> (select l.recommendation_id from lines l where l.tenant = $1 and l.line_id = r.line_id)",
        tenant,
        list(line_ids),
    )


async def behind(tx: Transaction, tenant: str, line_ids: Iterable[str]) -> dict[str, list[Proposal]]:
    """Proposals that arrived while their lines were held, oldest first."""
    rows = await tx.fetch(
        f"select {PROPOSAL} from recommendations where tenant = $1 and line_id = any($2::text[]) and place = 'behind' order by arrived",
        tenant,
        list(line_ids),
    )
    found: dict[str, list[Proposal]] = {}
    for row in rows:
        found.setdefault(row["line_id"], []).append(proposal_of(row))
    return found


async def place(tx: Transaction, tenant: str, recommendation_ids: Iterable[str], where: str) -> None:
    """Give recommendations a new place."""
    await tx.execute(
        "update recommendations set place = $3 where tenant = $1 and recommendation_id = any($2::text[])",
        tenant,
        list(recommendation_ids),
        where,
    )
