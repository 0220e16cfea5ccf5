"""What decisions are judged by now: limits, matrix and owners in force, and the clock; shared by topics, people and jobs."""

from datetime import date

from kit.clock import Clock
from kit.database import Transaction
from services.approvals.domain.lifecycle import Moment
from services.approvals.matrix_messages import matrix_of
from services.approvals.settings import Settings
from services.approvals.store import matrices, terms


async def now_for(tx: Transaction, tenant: str, settings: Settings, clock: Clock) -> Moment:
    """The moment without a business date, which belongs to a location, and without the money signed before, which belongs
    to a supplier and day: who decides about a line adds them."""
    return Moment(
        clock.now(),
        date.min,
        await terms.limits(tx, tenant, settings.default_limits),
        settings.undo_window,
        matrix_of(await matrices.newest(tx, tenant)),
        await matrices.owners(tx, tenant),
    )
