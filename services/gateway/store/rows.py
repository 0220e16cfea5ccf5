"""Whole batches in one statement: rows go in as one JSON array, and come out with their decimals as plain text."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import orjson

Row = dict[str, Any]


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as the one argument of a `jsonb_to_recordset` statement. Decimals travel as text and lose nothing."""
    return orjson.dumps(rows, default=_text).decode()


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"a row cannot hold {type(value).__name__}")


def plain(value: Decimal | None) -> str | None:
    """A quantity or amount as a person writes it: no exponent, no trailing zeros; None stays None."""
    if value is None:
        return None
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: Decimal | None) -> str | None:
    """Money with at least two digits behind the point."""
    if value is None:
        return None
    return format(value.quantize(Decimal("0.01")), "f") if value == value.quantize(Decimal("0.01")) else plain(value)


def instant(value: datetime | None) -> str | None:
    """An instant in UTC, with Z."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def loaded(value: Any) -> Any:
    """A jsonb column as Python values; asyncpg hands it over as text."""
    return orjson.loads(value) if isinstance(value, str) else value


def like(text: str) -> str:
    """A pattern that finds `text` anywhere, with its own wildcards taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def as_dicts(records: Iterable[asyncpg.Record]) -> list[Row]:
    return [dict(record) for record in records]
