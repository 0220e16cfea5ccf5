"""What schemathesis has to know to write our bodies: lines of JSON."""

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """One event a line; what is no text is written as JSON, whole numbers of any size among it."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()
