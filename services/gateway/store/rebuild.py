"""Forget everything that follows from the topics, so that the next start reads them from the beginning."""

from kit.database import Database

READ_MODELS = (
    "catalogue", "outcomes", "lines", "assignments", "comments", "decisions", "orders", "order_lines", "order_updates", "exceptions", "forecasts", "models",
    "signals", "policies", "checkpoints", "runs",
)  # fmt: skip
# `matrices` and `coverage` stay: the newest version counts, and whose reading they limit must not read all meanwhile.
# What was told to open pages is not told again: the heads stay, so that numbers go on rising.
FORGOTTEN = (*READ_MODELS, "live_events", "inbox")


async def drop_read_models(database_url: str) -> None:
    """Empty the read models and the memory of what was read. The gateway must be stopped: it would go on reading."""
    database = await Database.open(database_url, "gateway", pool_max=2)
    try:
        for tenant in await database.tenants():
            async with database.transaction(tenant) as tx:
                for table in FORGOTTEN:
                    await tx.execute(f"delete from {table} where tenant = $1", tenant)
        async with database.transaction() as tx:
            await tx.execute("delete from consumed_positions")
    finally:
        await database.close()
