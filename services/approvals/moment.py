"""What decisions are judged by now: limits, matrix and owners in force, and the clock; shared by topics, people and jobs."""

from datetime import date

from kit.clock import Clock
from kit.database import Transaction
from services.approvals.domain.lifecycle import Moment
from services.approvals.matrix_messages import matrix_of
from services.approvals.settings import Settings
from services.approvals.store import in_force


async def now_for(tx: Transaction, tenant: str, settings: Settings, clock: Clock) -> Moment:
    """The moment without a business date, which belongs to a location, and without the money signed before, which belongs
    to a supplier and day: who decides about a line adds them."""
    now = clock.now()
    found = await in_force.read(tx, tenant, settings.default_limits)
    return Moment(now, date.min, found.limits, settings.undo_window, matrix_of(found.matrix), found.owners)
