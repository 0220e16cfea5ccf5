"""From floats to the decimals people and contracts see, and back, with the same digits on every machine."""

from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")


def plain(value: Decimal) -> str:
    """Digits without exponent and without idle zeros: equal numbers have equal text."""
    text = str(value)
    if "E" in text:  # most numbers have no exponent, and `str` takes a third of the time of `format`
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def decimal_of(value: float, places: int = 4) -> Decimal:
    """The decimal nearest to a float at so many places, without idle zeros."""
    if value.is_integer():  # most are: pieces, packs, nothing on order
        return Decimal(int(value))
    text = f"{value:.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return Decimal("0" if text == "-0" else text)


def money(amount: Decimal) -> Decimal:
    """An amount rounded half-even to the cent."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)
