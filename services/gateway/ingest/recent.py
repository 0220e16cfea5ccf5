"""Which events were acknowledged lately, so that a caller who repeats a batch is told so and Kafka is spared the copies.

Only a courtesy: it is bounded, forgets at a restart, and knows nothing of other gateways. That a repeat counts once is
the consumers' inbox's promise.
"""

from dataclasses import dataclass, field
from typing import Literal

# About 20 MB; at 20,000 events/s it remembers the last five seconds, at a shop's usual pace the last hours.
RECENT_MAX = 100_000

Verdict = Literal["new", "repeat", "conflict"]


@dataclass(slots=True)
class Recent:
    """Identities (16 bytes) and digests (8 bytes) of acknowledged events, oldest forgotten first."""

    limit: int = RECENT_MAX
    _seen: dict[bytes, bytes] = field(default_factory=dict)

    def look(self, identity: bytes, digest: bytes) -> Verdict:
        """`repeat`: acknowledged before with this content; `conflict`: with another content."""
        known = self._seen.get(identity)
        if known is None:
            return "new"
        return "repeat" if known == digest else "conflict"

    def remember(self, identity: bytes, digest: bytes) -> None:
        self._seen[identity] = digest
        if len(self._seen) > self.limit:
            del self._seen[next(iter(self._seen))]
