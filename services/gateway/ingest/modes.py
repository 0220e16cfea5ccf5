"""CloudEvents over HTTP: which mode a request is in, and a binary-mode request as the event it carries.

Source: CloudEvents HTTP protocol binding 1.0.2: structured and batched mode are recognised by their content type; in
binary mode every attribute is a header `ce-<name>`, percent-encoded, the content type is the data's, the body is the data.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

import orjson

from services.gateway.ingest.check import Refused

PREFIX = "ce-"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Mode(Enum):
    """How the events of a request are written."""

    BATCH = auto()  # a JSON array, or one event as an object; every event gets its own result
    SINGLE = auto()  # structured mode: exactly one event, taken or refused as a whole
    BINARY = auto()  # one event, its attributes in headers
    LINES = auto()  # newline-delimited JSON, taken while it comes


_BY_TYPE = {
    "application/cloudevents+json": Mode.SINGLE,
    "application/x-ndjson": Mode.LINES,
    "application/ndjson": Mode.LINES,
    "application/jsonl": Mode.LINES,
}


def mode_of(headers: Mapping[str, str]) -> Mode:
    """The mode of a request, by its content type first."""
    named = _BY_TYPE.get(headers.get("content-type", "").partition(";")[0].strip().lower())
    if named is not None:
        return named
    return Mode.BINARY if f"{PREFIX}specversion" in headers else Mode.BATCH


def binary_event(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The event of a binary-mode request, as if it had come structured. Raises Refused."""
    event: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith(PREFIX):
            event[name.removeprefix(PREFIX)] = _text(name.removeprefix(PREFIX), value)
    if "data" in event:
        raise Refused("data", "is the body in binary mode, not a header")
    event["datacontenttype"] = headers.get("content-type") or "application/json"
    if "traceparent" in headers:
        event.setdefault("traceparent", headers["traceparent"])
    try:
        event["data"] = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused("data", f"the body is not JSON: {error}") from error
    return event


def _text(name: str, value: str) -> str:
    if _BAD_ESCAPE.search(value):
        raise Refused(name, "holds a % that starts no percent-encoding; write it as %25")
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise Refused(name, "is not UTF-8 once its percent-encoding is undone") from error
