"""The approval matrix: who may decide about a line, how many signatures it takes, who owns it, and until when.

Everything here is a pure function of the matrix, the line and the moment; `docs/approvals.md` says it in words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum

from services.approvals.domain.authority import Actor, Limits
from services.approvals.domain.line import TEAM, Line
from services.approvals.domain.refusals import Refusal

# What always asks for two, whatever the matrix says.
VALUE_RULE, ROLLING_RULE = "value_above_second_limit", "rolling_value"
# Where the matrix names no ceiling: ten lines of just under the limit for one supplier and day are no coincidence.
ROLLING_FACTOR = 10


class Signatures(IntEnum):
    """How strict the consent has to be; of several rules the strictest holds."""

    ONE = 1
    APPROVER = 2
    TWO = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """Suppliers, categories and locations; a dimension that names nothing fits everything."""

    suppliers: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    locations: frozenset[str] = frozenset()

    def fits(self, line: Line) -> bool:
        """Whether the line lies within. A transfer is within by the place it comes from, too."""
        p = line.proposal
        return (
            (not self.suppliers or p.supplier in self.suppliers)
            and (not self.categories or line.category in self.categories)
            and (not self.locations or bool(self.locations & {p.location, p.from_location}))
        )

    @property
    def narrowness(self) -> int:
        """How many dimensions it names: of several owners the one with the narrowest scope answers."""
        return sum(bool(names) for names in (self.suppliers, self.categories, self.locations))


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the matrix; an empty condition holds always. Money in the tenant's currency, `value_above` exclusive."""

    code: str
    says: str
    scope: Scope = Scope()
    reasons: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    value_above: Decimal | None = None
    signatures: Signatures = Signatures.ONE
    sla: timedelta | None = None
    escalate_to: str | None = None

    def applies(self, line: Line, value: Decimal) -> bool:
        """Whether the rule asks something of this line at this value."""
        p = line.proposal
        return (
            self.scope.fits(line)
            and (not self.reasons or bool(self.reasons & set(p.route_reasons)))
            and (not self.actions or p.action in self.actions)
            and (self.value_above is None or value > self.value_above)
        )


@dataclass(frozen=True, slots=True)
class Delegation:
    """`delegate` decides in the place of `delegator`, both days included."""

    delegator: str
    delegate: str
    starts: date
    ends: date

    def holds(self, day: date) -> bool:
        """Whether it holds on this day."""
        return self.starts <= day <= self.ends


@dataclass(frozen=True, slots=True)
class Matrix:
    """One version of the whole. Without coverage entries everybody with a deciding role covers everything."""

    version: int = 0
    rules: tuple[Rule, ...] = ()
    coverage: tuple[tuple[str, Scope], ...] = ()
    delegations: tuple[Delegation, ...] = ()
    rolling_value_above: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for what, as the catalogue's owner scopes say."""

    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Demand:
    """What consent a line needs. `codes`: the rules that ask for more than one ordinary signature, for the log and the screen."""

    signatures: Signatures
    codes: tuple[str, ...]

    def takes_two(self, actor: Actor) -> bool:
        """Whether this person's signature alone does not do."""
        if self.signatures is Signatures.APPROVER:
            return "approver" not in actor.roles
        return self.signatures is Signatures.TWO


def demand(matrix: Matrix, limits: Limits, line: Line, value: Decimal, signed_before: Decimal) -> Demand:
    """What consent this line needs at this value.

    signed_before: what one-signature approvals for the same supplier and order day come to already, this line left out.
    """
    asked = [(rule.code, rule.signatures) for rule in matrix.rules if rule.applies(line, value)]
    if limits.needs_second(value):
        asked.append((VALUE_RULE, Signatures.TWO))
    ceiling = matrix.rolling_value_above
    if ceiling is None:
        ceiling = ROLLING_FACTOR * limits.second_signature_above
    if line.proposal.supplier is not None and signed_before > 0 and signed_before + value > ceiling:
        asked.append((ROLLING_RULE, Signatures.TWO))
    strictest = max((signatures for _, signatures in asked), default=Signatures.ONE)
    if strictest is Signatures.ONE:
        return Demand(strictest, ())
    return Demand(strictest, tuple(sorted(code for code, signatures in asked if signatures is strictest)))


def _covers_itself(matrix: Matrix, subject: str, line: Line) -> bool:
    return not matrix.coverage or any(name == subject and scope.fits(line) for name, scope in matrix.coverage)


def stands_in_for(matrix: Matrix, subject: str, line: Line, day: date) -> frozenset[str]:
    """Whose place this person takes for this line: empty when the line is their own, or when nobody delegated it."""
    if _covers_itself(matrix, subject, line):
        return frozenset()
    return frozenset(
        one.delegator
        for one in matrix.delegations
        if one.delegate == subject and one.holds(day) and _covers_itself(matrix, one.delegator, line)
    )


def may_decide_on(matrix: Matrix, actor: Actor, line: Line, day: date) -> None:
    """Refuse who does not cover the line. Raises Refusal: delegation_over, not_covered."""
    if _covers_itself(matrix, actor.subject, line) or stands_in_for(matrix, actor.subject, line, day):
        return
    others = sorted({name for name, scope in matrix.coverage if scope.fits(line)})
    who = (
        f"{', '.join(others[:5])} can decide it" if others else "nobody covers it: an administrator has to say who does"
    )
    over = [one for one in matrix.delegations if one.delegate == actor.subject and not one.holds(day)]
    over = [one for one in over if _covers_itself(matrix, one.delegator, line)]
    if over:
        last = max(over, key=lambda one: one.ends)
        when = f"ended on {last.ends}" if last.ends < day else f"begins on {last.starts}"
        raise Refusal("delegation_over", f"Your delegation from {last.delegator} {when}; {who}.")
    p = line.proposal
    raise Refusal(
        "not_covered",
        f"You do not cover this line (supplier {p.supplier or 'none'}, category {line.category or 'none'}, location"
        f" {p.location}); {who}.",
    )


def independent(matrix: Matrix, actor: Actor, line: Line, day: date) -> None:
    """Refuse a second signature given in the first signer's place: that would be the same person twice.

    Raises Refusal: delegate_of_signer.
    """
    first = {line.first_signer, line.amended_by} - {None}
    places = stands_in_for(matrix, actor.subject, line, day)
    if places and places <= first:
        raise Refusal(
            "delegate_of_signer",
            f"You decide here only in the place of {', '.join(sorted(places))}, who has signed already; somebody who"
            " covers the line in their own right has to sign too.",
        )


def owner_of(owners: Iterable[Owner], line: Line) -> str:
    """The one who answers for the line: the narrowest scope that fits, of equals the first by name; else the team."""
    fitting = [one for one in owners if one.scope.fits(line)]
    return min(fitting, key=lambda one: (-one.scope.narrowness, one.name)).name if fitting else TEAM


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a person should have decided, and who answers for the line after that."""

    due_at: datetime
    escalate_to: str


def deadline(matrix: Matrix, line: Line, since: datetime) -> Deadline | None:
    """The earliest deadline any rule sets for this line; None when no rule sets one."""
    timed = [
        (rule.sla, rule.code, rule.escalate_to or "approver")
        for rule in matrix.rules
        if rule.sla is not None and rule.applies(line, line.value)
    ]
    if not timed:
        return None
    sla, _, escalate_to = min(timed)
    return Deadline(since + sla, escalate_to)
