"""What policy derives from the topics, and how it is derived again. Plans, recommendations and runs are its own words and
stay, as do the stock levels at which items are planned again."""

from kit.consumer import BatchConsumer
from kit.rebuild import NAME_FACTS, PARKED_EVENTS, Derived, Table
from services.policy import stream
from services.policy.stream import Stream

_POSITIONS_RESET = (
    "update positions set on_hand = 0, reserved = 0, backorders = 0, movements = 0, moved_at = '-infinity',"
    " counted_at = null where tenant = $1"
)

TABLES = (
    Table("products", ("sku", "name", "unit", "category", "price", "shelf_life_days", "active", "defined_at")),
    Table("locations", ("location", "name", "time_zone", "active", "defined_at")),
    Table(
        "suppliers",
        ("supplier", "name", "order_weekdays", "receipt_weekdays", "closed_on", "cut_off", "active", "defined_at"),
    ),
    Table("supplier_items", ("sku", "location", "supplier", "lead_time_days", "unit_cost", "moq", "pack", "defined_at")),
    Table("channels", ("channel", "name", "active", "defined_at")),
    Table("owner_scopes", ("owner", "suppliers", "categories", "locations", "active", "defined_at")),
    Table("successions", ("predecessor", "successor", "effective_on", "ratio", "active", "defined_at")),
    Table("substitutes", ("sku", "substitute", "ratio", "rank", "active", "defined_at")),
    # Topics that forget keep their newest word here: codes, signals and forecasts of a year ago, old policy versions.
    NAME_FACTS,
    Table("supplier_codes", ("code", "supplier"), reset=None),  # what the facts about names come to
    Table("signals", ("signal_id", "kind", "strength", "starts_at", "ends_at"), reset=None),
    Table("forecasts", ("sku", "location", "forecast_id", "origin", "revision"), reset=None),
    Table("policies", ("scope", "version", "parameters"), reset=None),
    # Which days were planned stays: a day that looked new would be planned again.
    Table("closed_days", ("location", "closed_on"), reset=None),
    # What a movement did to on hand depends on whether it came before or after the count that saw it; their sum does
    # not, and is compared as the position.
    Table(
        "ledger",
        ("sku", "location", "event_hash", "kind", "trim_scale(quantity)", "trim_scale(reserved)",
         "trim_scale(backorders)", "occurred_at", "business_date", "order_id"),
    ),
    Table(
        "positions",
        ("sku", "location", "trim_scale(on_hand)", "trim_scale(reserved)", "trim_scale(backorders)", "movements",
         "moved_at", "counted_at"),
        reset=_POSITIONS_RESET,
        where="movements > 0",
        own=("replan_below", "replan_at_or_above"),
    ),
    Table(
        "supply",
        ("sku", "location", "recommendation_id", "order_id", "trim_scale(quantity)", "trim_scale(confirmed)",
         "arrive_on", "status", "stands_in_for", "supplier", "promised_on", "trim_scale(unit_cost)"),
    ),
    Table("deliveries", ("order_id", "location", "supplier", "ordered_on", "promised_on", "confirmed_on", "received_on")),
    Table("commitments", ("commitment_id",)),
    PARKED_EVENTS,
)  # fmt: skip


def attach(consumer: BatchConsumer) -> None:
    """The handlers, as for events that were handled before."""
    stream.attach(consumer, Stream(is_replay=True))


DERIVED = Derived(TABLES, attach)
