"""What schemathesis has to know to write our bodies: lines of JSON."""

from typing import Any

import orjson
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """One event a line; what is no text is written as JSON."""
    return value.encode() if isinstance(value, str) else orjson.dumps(value)
