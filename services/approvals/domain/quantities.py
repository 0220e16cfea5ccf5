"""Which quantities a supplier's terms allow, and the nearest one when a person asks for another."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from services.approvals.domain.refusals import Refusal

# The contracts hold 16 digits, 4 of them behind the point (schemas.base.Quantity).
SMALLEST_STEP = Decimal("0.0001")
LARGEST = Decimal(999_999_999_999)


def plain(value: Decimal) -> str:
    """A quantity as a person writes it: no exponent, no trailing zeros."""
    return format(value.normalize(), "f") if value else "0"


def nearest_legal(quantity: Decimal, *, moq: Decimal | None, pack: Decimal | None) -> Decimal:
    """The legal quantity closest to the one asked for, in stocking units; of two equally close the larger.

    Legal: a whole number of packs (`pack` absent: any step of 0.0001), at least the minimum order quantity `moq`.
    """
    step = pack or SMALLEST_STEP
    least = max((moq or Decimal(0)) / step, Decimal(1)).to_integral_value(ROUND_CEILING) * step
    below = (quantity / step).to_integral_value(ROUND_FLOOR) * step
    above = (quantity / step).to_integral_value(ROUND_CEILING) * step
    return max(least, above if above - quantity <= quantity - below else below)


def check(quantity: Decimal, *, moq: Decimal | None, pack: Decimal | None, unit: str) -> None:
    """Refuse a quantity that the terms do not allow, saying which term and which quantity would do.

    Raises Refusal: quantity_not_a_number, quantity_too_large, quantity_not_positive, quantity_below_moq, quantity_not_in_packs.
    """
    if not quantity.is_finite():
        raise Refusal("quantity_not_a_number", "The quantity is not a number; give a decimal such as 120.", "quantity")
    if quantity > LARGEST:
        raise Refusal(
            "quantity_too_large",
            f"The quantity is above {plain(LARGEST)} {unit}, the most an order line can hold.",
            "quantity",
        )
    nearest = plain(nearest_legal(max(quantity, Decimal(0)), moq=moq, pack=pack))
    if quantity <= 0:
        raise Refusal(
            "quantity_not_positive",
            f"Ordering {plain(quantity)} {unit} is not an order; reject the line instead, or order at least {nearest}.",
            "quantity",
            nearest,
        )
    if moq is not None and quantity < moq:
        raise Refusal(
            "quantity_below_moq",
            f"{plain(quantity)} {unit} is below the supplier's minimum of {plain(moq)}; the nearest possible quantity is {nearest}.",
            "quantity",
            nearest,
        )
    step = pack or SMALLEST_STEP
    if quantity % step:
        told = f"does not fill whole packs of {plain(pack)}" if pack else "has more than four decimals"
        raise Refusal(
            "quantity_not_in_packs",
            f"{plain(quantity)} {unit} {told}; the nearest possible quantity is {nearest}.",
            "quantity",
            nearest,
        )
