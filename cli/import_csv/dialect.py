"""How a file writes numbers and dates. Nothing is guessed: what the dialect does not allow is a bad cell with the way out."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from schemas.base import in_calendar

_POINT = re.compile(r"[+-]?\d+(\.\d+)?")
_COMMA = re.compile(r"[+-]?\d+(,\d+)?")
TRUE = frozenset({"1", "true", "yes", "y", "x"})
FALSE = frozenset({"0", "false", "no", "n", ""})
# A sale without a time of day is put at noon, where no change of clocks can move it to another date.
NOON = time(12, 0)
UTC_ZONE = ZoneInfo("UTC")


class BadCell(ValueError):
    """This text is not what the field needs; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Encoding, delimiter, decimal mark, date format (`strptime` codes, None: ISO 8601) and the shops' time zone."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    decimal_comma: bool = False
    date_format: str | None = None
    time_zone: ZoneInfo = UTC_ZONE

    def number(self, text: str) -> Decimal:
        """A decimal number without thousands separators. Raises BadCell."""
        pattern = _COMMA if self.decimal_comma else _POINT
        if pattern.fullmatch(text):
            return Decimal(text.replace(",", "."))
        other = _POINT if self.decimal_comma else _COMMA
        if other.fullmatch(text):
            way_out = "leave out --decimal-comma" if self.decimal_comma else "give --decimal-comma"
            raise BadCell(f"{text!r} uses the other decimal mark ({way_out}), or a thousands separator (remove it)")
        raise BadCell(
            f"{text!r} is not a number; write digits with one decimal mark and no thousands separator or currency sign"
        )

    def moment(self, text: str) -> tuple[date, datetime]:
        """Business date and instant (UTC) of a date or a date with time on the shops' clock. Raises BadCell."""
        try:
            if self.date_format is not None:
                found = datetime.strptime(text, self.date_format)  # noqa: DTZ007  # the zone is added below
                has_time = any(code in self.date_format for code in ("%H", "%I", "%T", "%X", "%c"))
            else:
                found = datetime.fromisoformat(text)
                has_time = len(text) > len("2017-11-05")
        except ValueError as error:
            wanted = (
                f"the format {self.date_format}" if self.date_format else "ISO 8601 (2017-11-05 or 2017-11-05T18:04:11)"
            )
            raise BadCell(f"{text!r} is not a date in {wanted}; give --date-format, for example %d.%m.%Y") from error
        try:
            in_calendar(found)
        except ValueError as error:
            raise BadCell(f"{text!r} {error}") from error
        if found.tzinfo is not None:
            return found.astimezone(self.time_zone).date(), found.astimezone(UTC)
        local = datetime.combine(found.date(), found.time() if has_time else NOON, self.time_zone)
        return found.date(), local.astimezone(UTC)

    def flag(self, text: str) -> bool:
        """Yes or no. Raises BadCell."""
        if text.lower() in TRUE:
            return True
        if text.lower() in FALSE:
            return False
        raise BadCell(
            f"{text!r} is neither yes nor no; write one of {', '.join(sorted(TRUE))} or {', '.join(sorted(FALSE - {''}))}"
        )
