"""What several routes need: who calls, the parts, and paging."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query

from kit.http import Problem
from services.gateway.access import Caller, caller
from services.gateway.context import Context, context
from services.gateway.domain.cursors import CursorRefused, read_cursor, write_cursor
from services.gateway.store.rows import Row

PAGE_MAX = 200

Who = Annotated[Caller, Depends(caller)]
Parts = Annotated[Context, Depends(context)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="rows of one page")]
Cursor = Annotated[str | None, Query(max_length=1000, description="next_cursor of the page before")]
Search = Annotated[str | None, Query(max_length=100, description="part of a name or code")]
Code = Annotated[str | None, Query(max_length=64)]
Name = Annotated[str, Path(min_length=1, max_length=64)]


def behind(query: str, cursor: str | None, kinds: tuple[type, ...]) -> Any:
    """The place a cursor continues behind, or None. Raises Problem 400."""
    if cursor is None:
        return None
    try:
        values = read_cursor(query, cursor, len(kinds))
        if any(
            not isinstance(value, kind) and not (kind is float and isinstance(value, int))
            for value, kind in zip(values, kinds, strict=True)
        ):
            raise CursorRefused("The cursor cannot be read; start again without it.")
    except CursorRefused as error:
        raise Problem(400, "cursor_invalid", "The cursor does not fit", str(error)) from error
    return tuple(values)


def following(query: str, rows: list[Row], limit: int, place: Callable[[Row], tuple[Any, ...]]) -> str | None:
    """The cursor of the next page, when this one is full."""
    return write_cursor(query, place(rows[-1])) if len(rows) == limit else None


def not_found(what: str, name: str) -> Problem:
    """Unknown, or another tenant's: the same answer, so that nothing is given away."""
    return Problem(
        404, f"{what.replace(' ', '_')}_not_found", f"No such {what}", f"There is no {what} {name[:130]!r} here."
    )
