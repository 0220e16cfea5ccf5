"""Pins: a planner says which strategy forecasts an item, a category or an ABC class, whatever the back-test chose."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.forecaster.domain.frame import ItemRecord


@dataclass(frozen=True, slots=True)
class Pin:
    """Absent parts of the scope mean all of them; at least one is there."""

    pin_id: str
    strategy: str
    sku: str | None = None
    location: str | None = None
    category: str | None = None
    abc_class: str | None = None

    @property
    def narrowness(self) -> int:
        """A pin on a product beats one on a group of products; on the same, one location beats all of them."""
        return (
            8 * (self.sku is not None)
            + 2 * (self.category is not None)
            + 2 * (self.abc_class is not None)
            + (self.location is not None)
        )

    def holds(self, item: ItemRecord) -> bool:
        """Whether the item lies in the scope."""
        return (
            self.sku in (None, item.sku)
            and self.location in (None, item.location)
            and self.category in (None, item.category)
            and self.abc_class in (None, item.abc_class)
        )


def pinned(pins: Sequence[Pin], items: Sequence[ItemRecord]) -> dict[int, str]:
    """Strategy by row for the items that a pin holds. `pins` oldest first: of equally narrow ones the newest counts."""
    by_product: dict[str, list[Pin]] = {}
    wide = []
    for pin in sorted(pins, key=lambda pin: pin.narrowness):
        if pin.sku is None:
            wide.append(pin)
        else:
            by_product.setdefault(pin.sku, []).append(pin)
    out: dict[int, str] = {}
    for row, item in enumerate(items) if pins else ():
        for pin in (*wide, *by_product.get(item.sku, ())):
            if pin.holds(item):
                out[row] = pin.strategy
    return out
