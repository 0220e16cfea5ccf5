"""Which events were acknowledged lately, so that a caller who repeats a batch is told so and Kafka is spared the copies.

Only a courtesy: it is bounded, forgets at a restart, and knows nothing of other gateways. That a repeat counts once is
the consumers' inbox's promise.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal

# About 20 MB where ids have 40 characters; at 20,000 events/s it remembers the last five seconds, at a shop's usual pace the last hours.
RECENT_MAX = 100_000

Verdict = Literal["new", "repeat", "conflict"]


@dataclass(slots=True)
class Recent:
    """Identities and digests of the `limit` or fewer, but at least half as many, newest events.

    Two generations: when the younger is full it becomes the older, and the older is forgotten whole. Taking the oldest
    entry out of one table each time would walk over the places of all that were taken out before.
    """

    limit: int = RECENT_MAX
    _young: dict[str, int] = field(default_factory=dict)
    _old: dict[str, int] = field(default_factory=dict)

    def look(self, identity: str, digest: int) -> Verdict:
        """`repeat`: acknowledged before with this content; `conflict`: with another content."""
        known = self._young.get(identity)
        if known is None:
            known = self._old.get(identity)
        if known is None:
            return "new"
        return "repeat" if known == digest else "conflict"

    def knows_none(self, identities: Set[str]) -> bool:
        """Whether none of them was acknowledged lately, as far as is remembered."""
        return self._young.keys().isdisjoint(identities) and self._old.keys().isdisjoint(identities)

    def remember(self, taken: dict[str, int]) -> None:
        """Keep these events, identity to digest."""
        self._young.update(taken)
        if len(self._young) * 2 >= self.limit:
            self._old, self._young = self._young, {}
