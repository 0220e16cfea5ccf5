"""What the forecaster derives from the topics, and how it is derived again. Models, promises and forecasts are its own
words and stay."""

from kit.consumer import BatchConsumer
from kit.rebuild import NAME_FACTS, PARKED_EVENTS, Derived, Table
from services.forecaster import stream
from services.forecaster.stream import Intake

# Rows stay for their flags (`censored`, which forecasts set) and for `revision`: it counts what came after a close, and
# consumers compare it, so it must never go back.
_DEMAND_RESET = "update daily_demand set quantity = 0, returned = 0, restocked = 0, promoted = 0 where tenant = $1"

TABLES = (
    Table("catalogue_items", ("sku", "category", "abc_class", "trim_scale(price)", "active", "defined_at")),
    Table("catalogue_locations", ("location", "time_zone", "country", "region", "active", "defined_at")),
    Table("supply_terms", ("sku", "location", "supplier", "lead_time_days", "priority", "active", "defined_at")),
    Table("successions", ("predecessor", "successor", "effective_on", "ratio", "active", "defined_at")),
    # The catalogue keeps only the newest word of each code and the signals topic a year: their history stays here.
    NAME_FACTS,
    Table("signals", ("signal_id", "kind", "strength", "starts_at", "ends_at"), reset=None),
    # Not the partition: where two codes of one item lie in different ones, it is that of whichever was read last.
    Table("items", ("sku", "location", "first_on")),
    Table(
        "daily_demand",
        ("sku", "location", "business_date", "trim_scale(quantity)", "trim_scale(returned)", "trim_scale(restocked)",
         "trim_scale(promoted)", "revision"),
        reset=_DEMAND_RESET,
        where="(quantity, returned, restocked, promoted) <> (0, 0, 0, 0)",
        own=("revision", "censored"),
    ),
    Table("stock_days", ("sku", "location", "business_date", "trim_scale(net)")),
    Table("stock_counts", ("sku", "location", "business_date", "trim_scale(quantity)", "counted_at", "at_opening")),
    Table("closed_days", ("location", "partition", "business_date", "closed_at")),
    PARKED_EVENTS,
)  # fmt: skip


def attach(consumer: BatchConsumer) -> None:
    """The handlers, as for events that were handled before."""
    stream.attach(consumer, Intake(lambda: None, is_replay=True))


DERIVED = Derived(TABLES, attach)
