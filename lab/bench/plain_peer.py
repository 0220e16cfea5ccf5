"""The limit: a bare aiokafka loop that decodes each sale and adds it to a dictionary; nothing is stored or committed.

`python -m lab.bench.plain_peer BOOTSTRAP TOPIC SECONDS` counts for SECONDS from the first event on, or to the end of
the topic, and prints one line.
"""

import json
import sys
import time
from collections import defaultdict

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer


async def count(bootstrap: str, topic: str, seconds: float) -> dict[str, float]:
    """Sum units by item and day."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    places = sorted(consumer.assignment())
    ends = await consumer.end_offsets(places)
    sums: defaultdict[str, float] = defaultdict(float)
    events, started, spent = 0, 0.0, time.process_time()
    try:
        while not started or time.monotonic() - started < seconds:
            polled = await consumer.getmany(timeout_ms=1000, max_records=5000)
            started = started or time.monotonic()
            for records in polled.values():
                for record in records:
                    body = orjson.loads(record.value)
                    if "quantity" in body:
                        sums[f"{body['sku']}|{body['location']}|{body['business_date']}"] += float(body["quantity"])
                        events += 1
            if all([await consumer.position(place) >= ends[place] for place in places]):
                break
    finally:
        await consumer.stop()
    elapsed = time.monotonic() - started
    return {
        "events": events,
        "seconds": round(elapsed, 1),
        "events_per_second": round(events / elapsed),
        "processor_microseconds_per_event": round((time.process_time() - spent) / max(events, 1) * 1e6, 1),
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(count(sys.argv[1], sys.argv[2], float(sys.argv[3])))))
