"""The peer: a Quix Streams application that keeps the same sums in its state store, as its guide shows.

`python -m lab.bench.quix_peer BOOTSTRAP TOPIC SECONDS` counts for SECONDS from the first event on and prints one line.
Quix Streams pins a librdkafka of its own, so it is no dependency of this project: the first run puts it into a folder
of its own in this environment, and says why when it cannot.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

REQUIREMENT = "quixstreams>=3.20,<4"


def count(bootstrap: str, topic_name: str, seconds: float) -> None:
    """Sum units by item and day; ends the process once the time is over."""
    from quixstreams import Application  # type: ignore[import-not-found]  # only in the peer's own environment

    logging.disable(logging.WARNING)
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"bench-peer-{uuid.uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        auto_create_topics=True,
        state_dir=tempfile.mkdtemp(),
        loglevel=None,
    )
    events, started = 0, 0.0

    def add(body: dict[str, Any], state: Any) -> None:
        nonlocal events, started
        if "quantity" in body:
            key = f"{body['sku']}|{body['location']}|{body['business_date']}"
            state.set(key, state.get(key, 0.0) + float(body["quantity"]))
            events += 1
        started = started or time.monotonic()
        elapsed = time.monotonic() - started
        if elapsed >= seconds:
            told = {"events": events, "seconds": round(elapsed, 1), "events_per_second": round(events / elapsed)}
            os.write(1, json.dumps(told).encode() + b"\n")
            os._exit(0)

    frame = app.dataframe(app.topic(topic_name, key_deserializer="bytes", value_deserializer="json"))
    frame.update(add, stateful=True)
    app.run()


def main() -> None:
    """In the project's environment: hand over to the peer's own. In that one: count."""
    if "--inside" in sys.argv:
        count(sys.argv[1], sys.argv[2], float(sys.argv[3]))
        return
    try:
        from lab.bench.peer_environment import NOT_INSTALLED, environment, reason

        python = environment("quix", [REQUIREMENT])
    except (subprocess.SubprocessError, OSError) as error:
        sys.stdout.write(f"{reason('Quix Streams', error)}\n")
        raise SystemExit(NOT_INSTALLED) from error
    os.execv(str(python), [str(python), str(Path(__file__)), *sys.argv[1:], "--inside"])  # noqa: S606 - our own interpreter and file


if __name__ == "__main__":
    main()
