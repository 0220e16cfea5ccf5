"""Which of several owner scopes answers for something: exactly one, and always the same one."""

from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_OWNER = "planner"


@dataclass(frozen=True, slots=True)
class Scope:
    """What an owner answers for; an empty part means all of them."""

    owner: str
    suppliers: frozenset[str]
    categories: frozenset[str]
    locations: frozenset[str]


def choose(scopes: Iterable[Scope], *, location: str | None, supplier: str | None, category: str | None) -> str:
    """The owner whose scope covers it and says most about it; of equals the first by name; else the role `planner`.

    A part that a scope limits must be known and within the limit: nobody answers for what may not be theirs.
    """
    covering = []
    for scope in scopes:
        limited = [
            (allowed, value)
            for allowed, value in (
                (scope.locations, location),
                (scope.suppliers, supplier),
                (scope.categories, category),
            )
            if allowed
        ]
        if all(value in allowed for allowed, value in limited):
            covering.append((-len(limited), scope.owner))
    return min(covering)[1] if covering else DEFAULT_OWNER
