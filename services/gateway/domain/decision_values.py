"""What decisions were worth, summed: by person, by reason, by month, and in all. What belongs together adds up to the cent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)
STATUSES = ("settled", "censored", "open", "unvalued")


@dataclass(frozen=True, slots=True)
class Judged:
    """One line that a person amended or refused. Money: above zero the decision was better than the proposal. `status`:
    `settled`, `censored` (the value lies between low and high), `open` (parts are so far), `unvalued` (nothing is told)."""

    decided_by: str
    reason_code: str
    month: str
    currency: str
    status: str
    holding: Decimal = ZERO
    lost_margin: Decimal = ZERO
    ordering: Decimal = ZERO
    low: Decimal = ZERO
    high: Decimal = ZERO

    @property
    def value(self) -> Decimal:
        return self.holding + self.lost_margin + self.ordering


@dataclass(frozen=True, slots=True)
class Sum:
    """Lines of one currency that share a name. `value` and its parts: of the settled ones; `low`, `high`: of settled and
    censored together; `so_far`: of the open ones, in none of the others."""

    name: str
    currency: str
    lines: int
    settled: int
    censored: int
    open: int
    unvalued: int
    value: Decimal
    holding: Decimal
    lost_margin: Decimal
    ordering: Decimal
    low: Decimal
    high: Decimal
    so_far: Decimal


def by_person(line: Judged) -> str:
    return line.decided_by


def by_reason(line: Judged) -> str:
    return line.reason_code


def by_month(line: Judged) -> str:
    return line.month


def in_all(_line: Judged) -> str:
    return "all"


def summed(lines: Iterable[Judged], name_of: Callable[[Judged], str]) -> list[Sum]:
    """One sum for each name and currency, in the order of their names."""
    gathered: dict[tuple[str, str], list[Judged]] = {}
    for line in lines:
        gathered.setdefault((name_of(line), line.currency), []).append(line)
    return [_sum(name, currency, gathered[name, currency]) for name, currency in sorted(gathered)]


def _sum(name: str, currency: str, lines: list[Judged]) -> Sum:
    of = {status: [line for line in lines if line.status == status] for status in STATUSES}
    bounded = of["settled"] + of["censored"]
    return Sum(
        name=name,
        currency=currency,
        lines=len(lines),
        settled=len(of["settled"]),
        censored=len(of["censored"]),
        open=len(of["open"]),
        unvalued=len(of["unvalued"]),
        value=sum((line.value for line in of["settled"]), ZERO),
        holding=sum((line.holding for line in of["settled"]), ZERO),
        lost_margin=sum((line.lost_margin for line in of["settled"]), ZERO),
        ordering=sum((line.ordering for line in of["settled"]), ZERO),
        low=sum((line.low for line in bounded), ZERO),
        high=sum((line.high for line in bounded), ZERO),
        so_far=sum((line.value for line in of["open"]), ZERO),
    )
