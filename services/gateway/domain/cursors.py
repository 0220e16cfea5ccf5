"""Opaque page cursors: where the next page starts, and for which query it was made."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence


class CursorRefused(ValueError):
    """The cursor was not made by this API, or for another query."""


def _mark(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:12]


def write_cursor(query: str, after: Sequence[str | float | int | None]) -> str:
    """A cursor that continues `query` behind the row with these sort values."""
    return urlsafe_b64encode(json.dumps([_mark(query), *after]).encode()).decode().rstrip("=")


def read_cursor(query: str, cursor: str, size: int) -> list[str | float | int | None]:
    """The `size` sort values to continue behind. Raises CursorRefused."""
    try:
        parts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError) as error:
        raise CursorRefused("The cursor cannot be read; start again without it.") from error
    scalar = (str, float, int, type(None))
    if not isinstance(parts, list) or len(parts) != size + 1 or not all(isinstance(part, scalar) for part in parts):
        raise CursorRefused("The cursor cannot be read; start again without it.")
    if parts[0] != _mark(query):
        raise CursorRefused("The cursor belongs to another filter or order; start again without it.")
    return parts[1:]
