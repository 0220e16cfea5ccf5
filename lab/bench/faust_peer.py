"""The peer: a plain Faust agent that keeps the same sums (units by item and day) in a Faust table, as its guide shows.

`python -m lab.bench.faust_peer BOOTSTRAP TOPIC SECONDS` counts for SECONDS from the first event on and prints one line.
It is not exactly once (`table[key] += x` is counted again after a crash); the product's figure is.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

import faust
import orjson


def main() -> None:
    """Count for the given seconds, print the rate, end."""
    bootstrap, topic_name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        app = faust.App(
            f"bench-peer-{uuid.uuid4().hex[:8]}",
            broker=f"kafka://{bootstrap}",
            datadir=str(Path(folder) / "peer"),
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            topic_partitions=4,
            producer_linger=0.02,
            producer_max_batch_size=262_144,
            consumer_auto_offset_reset="earliest",
            key_serializer="raw",
            value_serializer="raw",
            loglevel="error",
        )
        sums = app.Table("sums", default=float, partitions=4)
        topic = app.topic(topic_name, value_serializer="raw", key_serializer="raw")

        @app.agent(topic)
        async def add(stream: faust.StreamT[bytes]) -> None:
            count, started = 0, 0.0
            async for value in stream:
                body = orjson.loads(value)
                if "quantity" not in body:
                    continue
                sums[f"{body['sku']}|{body['location']}|{body['business_date']}"] += float(body["quantity"])
                count += 1
                if count == 1:
                    started = time.monotonic()
                elapsed = time.monotonic() - started
                if elapsed >= seconds:
                    told = {"events": count, "seconds": round(elapsed, 1), "events_per_second": round(count / elapsed)}
                    os.write(1, json.dumps(told).encode() + b"\n")
                    os._exit(0)

        worker = faust.Worker(app, loglevel="error")
        asyncio.set_event_loop(worker.loop)
        worker.execute_from_commandline()


if __name__ == "__main__":
    main()
