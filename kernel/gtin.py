"""GTIN-8, -12, -13 and -14: one number with leading zeros, ended by the GS1 check digit.

Source: GS1 General Specifications, section 7.9 "check digit calculations": from the right, digits before the check
digit weigh 3, 1, 3, 1 …; the check digit brings the sum to a multiple of ten.
"""

LENGTHS = frozenset({8, 12, 13, 14})
CANONICAL_LENGTH = 14


def check_digit(payload: str) -> int:
    """The check digit of a number that lacks it; `payload` is digits only."""
    return -sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(payload))) % 10


def looks_like(code: str) -> bool:
    """Whether a code has the form of a GTIN; its check digit may still be wrong."""
    return len(code) in LENGTHS and code.isascii() and code.isdigit()


def canonical(code: str) -> str | None:
    """The 14 digits by which a valid GTIN of any length is known; None for anything else."""
    if not looks_like(code) or check_digit(code[:-1]) != int(code[-1]):
        return None
    return code.zfill(CANONICAL_LENGTH)


def fault(code: str) -> str | None:
    """A sentence that says why this is no GTIN; None for a valid one."""
    if not looks_like(code):
        return f"{code!r} is no GTIN: 8, 12, 13 or 14 digits are expected"
    expected = check_digit(code[:-1])
    if expected != int(code[-1]):
        return f"the check digit of {code} is {code[-1]}, its other digits make it {expected}"
    return None
