"""What a movement does to a position: the one table of directions, and which events are none."""

from decimal import Decimal

from services.policy.domain.refusal import PolicyRefusal

# kind -> (effect on on hand, on reserved, on backorders) of one unit
DIRECTIONS: dict[str, tuple[int, int, int]] = {
    "sale": (-1, 0, 0),
    "return": (1, 0, 0),
    "scrapped_return": (0, 0, 0),
    "void": (1, 0, 0),
    "receipt": (1, 0, 0),
    "shipment": (-1, 0, 0),
    "transfer_out": (-1, 0, 0),
    "transfer_in": (1, 0, 0),
    "adjustment": (1, 0, 0),
    "reservation": (0, 1, 0),
    "release": (0, -1, 0),
    "backorder": (0, 0, 1),
}
SIGNED_KINDS = frozenset({"adjustment", "backorder"})


def check_movement(kind: str, quantity: Decimal) -> None:
    """Raises PolicyRefusal: movement_unknown, quantity_negative."""
    if kind not in DIRECTIONS:
        raise PolicyRefusal("movement_unknown", f"{kind!r} is no kind of movement")
    if quantity < 0 and kind not in SIGNED_KINDS:
        raise PolicyRefusal("quantity_negative", f"{kind} of {quantity}: only adjustment and backorder may be negative")
