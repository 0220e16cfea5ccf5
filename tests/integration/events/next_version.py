"""The policy service as its next release might be: sales carry one more optional field, and its handlers read it.

Run as a process of its own beside the present version: `python -m tests.integration.events.next_version`. Settings come
from the environment, as for every service. On SIGTERM it says how many sales it handled, with and without the field.
"""

import asyncio
import importlib
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from schemas import demand
from schemas.base import Code


class SaleRecorded(demand.SaleRecorded):
    """The contract of tomorrow: additive, as the gate demands."""

    loyalty_tier: Code | None = None


def upgrade() -> None:
    """Put the new contract in the place of today's, before anything that uses it is imported."""
    setattr(demand, "SaleRecorded", SaleRecorded)  # noqa: B010  # a type checker must not take it for today's


async def main() -> None:
    """Consume until told to stop."""
    consumer_module = importlib.import_module("kit.consumer")
    database_module = importlib.import_module("kit.database")
    settings = importlib.import_module("kit.settings").ServiceSettings()
    policy = importlib.import_module("services.policy.stream")
    stop, seen = asyncio.Event(), Counter[str]()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    handlers = policy.Stream()
    book = handlers.book

    async def watch(tx: Any, tenant: str, events: Sequence[Any]) -> Any:
        for one in events:
            if type(one.body) is SaleRecorded:
                seen["with" if one.body.loyalty_tier is not None else "without"] += 1
        return await book(tx, tenant, events)

    handlers.book = watch
    database = await database_module.Database.open(settings.database_url.get_secret_value(), "policy", pool_max=4)
    consumer = consumer_module.BatchConsumer(settings, database)
    policy.attach(consumer, handlers)
    try:
        await consumer.run(stop)
    finally:
        await database.close()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    upgrade()
    asyncio.run(main())
