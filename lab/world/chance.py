"""Deterministic stand-in for chance: the same name always draws the same number, on every machine and in any order."""

import zlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def share(*names: str | int) -> float:
    """A number in [0, 1) drawn by the names, evenly spread over different names."""
    # CRC-32 alone keeps neighbouring names close in its low bits; the multiplier (Knuth, 2^32/phi) spreads them.
    return (zlib.crc32("/".join(map(str, names)).encode()) * 2654435761 % 2**32) / 2**32


def between(low: float, high: float, *names: str | int) -> float:
    """A number in [low, high) drawn by the names."""
    return low + (high - low) * share(*names)


def pick(options: Sequence[T], *names: str | int) -> T:
    """One of the options, drawn by the names."""
    return options[int(share(*names) * len(options))]
