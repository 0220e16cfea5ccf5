"""Keeps the words of a comment from whoever may not read its line: they are told who asks for them, and no more.

Judged when a notice goes out, by the coverage in force then, with the policies of Postgres that limit every other reading.
"""

from collections.abc import Sequence
from datetime import date

from kit.database import Database
from services.gateway.domain.access import READS_ALL
from services.gateway.domain.notices import Notice, without_words
from services.gateway.store import accounts, coverage


async def fit_to_read(database: Database, tenant: str, told: Sequence[Notice], today: date) -> list[Notice]:
    """The notices as those they name may read them."""
    named = {one.recipient for one in told if one.kind == "mentioned" and one.recipient is not None}
    closed = {name: await _closed_to(database, tenant, name, told, today) for name in sorted(named)}
    return [
        without_words(one)
        if one.kind == "mentioned" and one.body["line_id"] in closed.get(one.recipient or "", ())
        else one
        for one in told
    ]


async def _closed_to(
    database: Database, tenant: str, username: str, told: Sequence[Notice], today: date
) -> frozenset[str]:
    """Which of the lines that this person is named on they may not read."""
    lines = frozenset(one.body["line_id"] for one in told if one.kind == "mentioned" and one.recipient == username)
    async with database.transaction(tenant) as tx:
        account = await accounts.account(tx, tenant, username)
        if account is not None and READS_ALL & frozenset(account["roles"]):
            return frozenset()
        names = await coverage.readers(tx, tenant, username, today)
        if names is None:
            return frozenset()
        await coverage.limit(tx, names)
        return lines - await coverage.covered_lines(tx, tenant, lines)
