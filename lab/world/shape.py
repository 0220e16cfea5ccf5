"""How big the world is and where its `today` lies. Two equal shapes make equal worlds, byte for byte."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date

# First and last local business date of the Complete Journey receipts.
FIRST_DAY = date(2017, 1, 1)
LAST_DAY = date(2017, 12, 31)
# Bump when the same shape would make another world, so that caches of the old one are not used.
EDITION = 4


class ShapeRefusal(ValueError):
    """The shape cannot be built; the message says which limit it breaks."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is cut out of the data: the `stores` largest stores, their `items` densest products, history up to `today`.

    `items` counts store x product pairs. `today` is the last business day of the history; later days are replayed live.
    """

    items: int = 3200
    stores: int = 24
    today: date = date(2017, 12, 3)
    tenant: str = "demo"

    def __post_init__(self) -> None:
        if not 1 <= self.items <= 60_000:
            raise ShapeRefusal(f"items={self.items}: needs 1 to 60000, the receipts hold no more pairs worth planning")
        if not 1 <= self.stores <= 100:
            raise ShapeRefusal(f"stores={self.stores}: needs 1 to 100, smaller stores sell too little to learn from")
        if not FIRST_DAY < self.today <= LAST_DAY:
            raise ShapeRefusal(f"today={self.today}: needs a day after {FIRST_DAY} and not after {LAST_DAY}")

    @property
    def history_days(self) -> int:
        """Number of business days in the history, `FIRST_DAY` and `today` included."""
        return (self.today - FIRST_DAY).days + 1

    def fingerprint(self) -> str:
        """A short name of this exact world, for cache directories and idempotent feeds."""
        text = json.dumps({**asdict(self), "today": self.today.isoformat(), "edition": EDITION}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


FULL = Shape()
# For scenario tests: the same rules, small enough to stream and plan in seconds.
TINY = Shape(items=30, stores=3)
