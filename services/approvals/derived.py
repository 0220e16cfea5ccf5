"""What approvals derives from the topics, and how it is derived again. Recommendations, lines, decisions, orders and
matrices are its own words and stay; what others said about them, and the limits it judges by, come from the topics."""

from kit.clock import SystemClock
from kit.consumer import BatchConsumer
from kit.rebuild import NAME_FACTS, PARKED_EVENTS, Derived, Table
from services.approvals import stream
from services.approvals.settings import Settings

# What a person has taken back stays taken back: that is a decision, no answer of the other side.
_ANSWERS_RESET = (
    "update orders set status = 'released', updated_at = released_at where tenant = $1 and status <> 'cancelled'"
)

TABLES = (
    Table("limits", ("scope", "policy_version", "trim_scale(rule_value_limit)", "trim_scale(second_signature_above)")),
    Table("owner_scopes", ("owner", "suppliers", "categories", "locations", "defined_at")),
    Table("item_categories", ("sku", "category", "defined_at")),
    # The newest business day of each location: recommendations are kept for a year only.
    Table("location_days", ("location", "business_date"), reset=None),
    Table("orders", ("order_id", "status"), reset=_ANSWERS_RESET),
    # Rows are added and never changed, also by a rebuild: what is missing comes back, what came first counts.
    Table("order_line_ends", ("order_id", "sku", "how"), reset=None),
    # Other codes of orders: the catalogue forgets earlier meanings.
    NAME_FACTS,
    PARKED_EVENTS,
)


def attach(consumer: BatchConsumer) -> None:
    """The handlers, as for events that were handled before."""
    stream.attach(consumer, Settings(), SystemClock(), is_replay=True)


DERIVED = Derived(TABLES, attach, has_snapshots=False)
