"""A distribution of demand as a short text: what is new in each of its integers, in as few bytes as that takes.

The bytes, written as base64: one for the exponent k, then 56 means in units of 10^(k-4) and 11 x 11 quantiles in units of
10^(k-2), all as variable-length integers (LEB128, as in Protocol Buffers: seven bits a byte, the lowest first, the highest
bit says that more follow).
- A mean is its difference to the mean a week before (the first week: to zero), zigzag: 0, -1, 1, -2, … as 0, 1, 2, 3, …
- A quantile is its difference to the level before; at the lowest level, to the same level of the horizon before.
k is 0, so that nothing is lost, wherever the text then fits into TEXT_MAX characters; otherwise the smallest that fits.
What k > 0 rounds away is at most half of 10^(k-4) and 10^(k-2) units. Who sells hundreds a day is rounded to tenths.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

# Fields beside it take 250 to 400 characters, so that an event stays under a kilobyte.
TEXT_MAX = 600
WEEK = 7
EXPONENT_MAX = 18
MORE = 0x80


def pack(means: Sequence[int], quantiles: Sequence[Sequence[int]]) -> str:
    """Non-negative integers as text; quantiles must not fall along levels, nor at the lowest level along horizons."""
    for exponent in range(EXPONENT_MAX + 1):
        scale = 10**exponent
        text = b64encode(bytes((exponent,)) + _bytes(_differences(means, quantiles, scale))).decode()
        if len(text) <= TEXT_MAX:
            return text
    raise ValueError(f"quantities up to {max(map(max, quantiles))} hundredths do not fit into {TEXT_MAX} characters")


def is_exact(text: str) -> bool:
    """Whether nothing was rounded to write it."""
    return b64decode(text[:4])[0] == 0


def unpack(text: str, days: int, horizons: int, levels: int) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The integers again, in ten-thousandths (means) and hundredths (quantiles). Raises ValueError where it is no such text."""
    try:
        data = b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"demand is not base64: {error}") from error
    exponent, found = data[0] if data else 0, _integers(data[1:])
    if exponent > EXPONENT_MAX:
        raise ValueError(f"demand has the exponent {exponent}, at most {EXPONENT_MAX} is read")
    if len(found) != days + horizons * levels:
        raise ValueError(f"demand holds {len(found)} numbers, needs {days} means and {horizons} x {levels} quantiles")
    means, steps = [(coded >> 1) ^ -(coded & 1) for coded in found[:days]], found[days:]
    if exponent:
        scale = 10**exponent
        means, steps = [change * scale for change in means], [step * scale for step in steps]
    for day in range(WEEK, days):
        means[day] += means[day - WEEK]
    rows: list[tuple[int, ...]] = []
    lowest = 0
    for start in range(0, len(steps), levels):
        lowest = steps[start] = steps[start] + lowest
        rows.append(tuple(accumulate(steps[start : start + levels])))
    return tuple(means), tuple(rows)


def _differences(means: Sequence[int], quantiles: Sequence[Sequence[int]], scale: int) -> Iterator[int]:
    half = scale // 2
    rounded = [(mean + half) // scale for mean in means]
    for day, mean in enumerate(rounded):
        change = mean - (rounded[day - WEEK] if day >= WEEK else 0)
        yield change << 1 if change >= 0 else (-change << 1) - 1
    lowest = 0
    for row in quantiles:
        before = lowest
        for position, quantile in enumerate(row):
            value = (quantile + half) // scale
            yield value - before
            before = value
            if not position:
                lowest = value


def _bytes(numbers: Iterable[int]) -> bytes:
    out = bytearray()
    for number in numbers:
        while number >= MORE:
            out.append(number & 0x7F | MORE)
            number >>= 7
        out.append(number)
    return bytes(out)


def _integers(data: bytes) -> list[int]:
    found: list[int] = []
    number = shift = 0
    for byte in data:
        if byte < MORE:
            found.append(number | byte << shift)
            number = shift = 0
        else:
            number |= (byte & 0x7F) << shift
            shift += 7
    if shift:
        raise ValueError("demand ends in the middle of a number")
    return found
