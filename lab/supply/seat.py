"""The ERP's seat: a plain Kafka consumer in a process of its own that prints every order it reads as one JSON line.

It knows the broker's address and the topic's name, and nothing else of this project: what it sees, any ERP would see.
`python -m lab.supply.seat --bootstrap HOST:PORT --topic countersign.orders.v1` runs until its input is closed.
"""

import argparse
import asyncio
import json
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer


async def read(bootstrap: str, topic: str) -> None:
    """Print orders from the beginning of the topic on, until the input is closed or the process is told to end."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    await consumer.start()
    asyncio.get_running_loop().run_in_executor(None, _end_with_input)
    try:
        async for record in consumer:
            print(json.dumps(line_of(record)), flush=True)
    finally:
        await consumer.stop()


def line_of(record: Any) -> dict[str, Any]:
    """What the seat says about a record: where it was, its headers that name it, its body."""
    headers = {name: value.decode() for name, value in record.headers}
    return {
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.decode() if record.key is not None else None,
        "id": headers.get("ce_id"),
        "type": headers.get("ce_type"),
        "body": json.loads(record.value),
    }


def _end_with_input() -> None:
    """End with the process that started us, however it ends: our input is its pipe."""
    import os

    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Read the address from the command line and read orders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    chosen = parser.parse_args()
    asyncio.run(read(chosen.bootstrap, chosen.topic))


if __name__ == "__main__":
    main()
