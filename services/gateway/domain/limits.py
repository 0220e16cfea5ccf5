"""Token buckets: how often something may be tried, counted without a clock of their own."""

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bucket:
    """`tokens` left at `at` (seconds on any steady clock)."""

    tokens: float
    at: float


@dataclass(slots=True)
class Limiter:
    """At most `burst` at once and `burst` per `period_seconds` on average, for each key.

    Keeps the `keys_max` most recently used keys: a flood of invented keys costs the flooder's oldest keys, not memory.
    """

    burst: int
    period_seconds: float
    keys_max: int = 10_000
    _buckets: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)

    def retry_after_seconds(self, key: str, now: float) -> float:
        """0 when one more is allowed at `now`, otherwise how long to wait. Takes nothing."""
        tokens = self._tokens(key, now)
        return 0.0 if tokens >= 1 else (1 - tokens) * self.period_seconds / self.burst

    def take(self, key: str, now: float) -> None:
        """Count one try of `key`."""
        self._buckets[key] = Bucket(max(self._tokens(key, now) - 1, 0.0), now)
        self._buckets.move_to_end(key)
        while len(self._buckets) > self.keys_max:
            self._buckets.popitem(last=False)

    def give_back(self, key: str, now: float) -> None:
        """Uncount one try of `key`, because it turned out to be none of those that are limited."""
        self._buckets[key] = Bucket(min(self._tokens(key, now) + 1, float(self.burst)), now)

    def forget(self, key: str) -> None:
        """Start `key` afresh, as after a success."""
        self._buckets.pop(key, None)

    def remaining(self, key: str, now: float) -> int:
        return int(self._tokens(key, now))

    def _tokens(self, key: str, now: float) -> float:
        bucket = self._buckets.get(key)
        if bucket is None:
            return float(self.burst)
        return min(float(self.burst), bucket.tokens + max(now - bucket.at, 0.0) * self.burst / self.period_seconds)
