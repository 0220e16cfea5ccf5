"""What a movement does to a position: the one table of directions, and which events are none."""

from dataclasses import dataclass
from decimal import Decimal

from services.policy.domain.refusal import PolicyRefusal

ZERO = Decimal(0)
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


@dataclass(frozen=True, slots=True)
class Effect:
    """Units added to on hand, reserved and backorders."""

    on_hand: Decimal
    reserved: Decimal
    backorders: Decimal


def effect_of(kind: str, quantity: Decimal) -> Effect:
    """What `quantity` units of `kind` do. Raises PolicyRefusal: movement_unknown, quantity_negative."""
    directions = DIRECTIONS.get(kind)
    if directions is None:
        raise PolicyRefusal("movement_unknown", f"{kind!r} is no kind of movement")
    if quantity < 0 and kind not in SIGNED_KINDS:
        raise PolicyRefusal("quantity_negative", f"{kind} of {quantity}: only adjustment and backorder may be negative")
    on_hand, reserved, backorders = directions
    return Effect(
        quantity * on_hand if on_hand else ZERO,
        quantity * reserved if reserved else ZERO,
        quantity * backorders if backorders else ZERO,
    )
