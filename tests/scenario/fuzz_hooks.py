"""What schemathesis has to know to write our bodies: lines of JSON, and documents as they are."""

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """One event a line; what is no text is written as JSON, whole numbers of any size among it."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()


@schemathesis.serializer("application/edi-x12", "application/xml")
def document(_context: Any, value: Any) -> bytes:
    """A text as it is: these formats are described elsewhere, and their examples are whole."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()
