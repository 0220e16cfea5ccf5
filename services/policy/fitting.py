"""What surely fits the contract of recommendations, seen without building the message: half of publishing one was its check.

What is not seen here to fit is judged by the contract itself, so that nothing is published that it refuses.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.base import Code, Currency, Reason
from schemas.recommendations import RecommendationIssued, RecommendationWithheld

_SIGNED = r"-?[0-9]{1,12}(?:\.[0-9]{1,4})?"
_NATURAL = r"[0-9]{1,12}(?:\.[0-9]{1,4})?"
_POSITIVE = rf"(?=[0.]*[1-9]){_NATURAL}"
_RATIO = r"(?:0(?:\.[0-9]{1,6})?|1)"
# Which numbers of a recommendation are of which kind. All are text that was made of decimals.
_NUMBERS = {
    "quantity": _POSITIVE, "pack": _POSITIVE, "unit_cost": _NATURAL, "value": _NATURAL, "moq": _NATURAL,
    "reorder_point": _NATURAL, "order_up_to": _NATURAL, "money_at_risk": _NATURAL, "excess_from_rounding": _NATURAL,
    "excess_cost": _NATURAL, "on_hand": _SIGNED, "on_order": _SIGNED, "reserved": _SIGNED, "inventory_position": _SIGNED,
    "stockout_probability": _RATIO, "confidence": _RATIO,
}  # fmt: skip
_ISSUED = re.compile(" ".join(_NUMBERS.values()))
_CODES = (
    "tenant", "sku", "location", "unit", "supplier", "from_location", "changes_order", "stands_in_for", "forecast_id", "line_id",
    "supersedes", "run_id",
)  # fmt: skip
_CODES_WITHHELD = ("tenant", "sku", "location", "supersedes", "run_id", "field", "forecast_id")
INFINITE = float("inf")
# What is not looked at here: where it may be wrong, the contract is asked.
_RARE = ("order_until",)
_WITHHELD = re.compile(f"{_SIGNED} {_SIGNED} {_SIGNED} {_NATURAL}")
SAYS_MAX = 400
# Lists of our own words and numbers, whose form the tests hold to the contract.
UNCHECKED = {
    "evidence": {},
    "steps": (),
    "projection": {"origin": "1970-01-01", "without_order": (), "with_order": ()},
}


def check_issued(body: Mapping[str, Any]) -> None:
    """What was made of codes and money against the contract. Raises ValidationError."""
    get = body.get  # "1" stands in for what is absent: minimum and pack, where the supplier names none
    fits = _ISSUED.fullmatch(" ".join([get(name, "1") for name in _NUMBERS])) is not None
    fits = fits and 0 <= get("days_of_cover", 0) < INFINITE and _is_currency(body["currency"]) and _are_codes(body)
    if not fits or any(one in body for one in _RARE):
        RecommendationIssued.model_validate({**body, **UNCHECKED})


def _are_codes(body: Mapping[str, Any]) -> bool:
    return all(_is_code(body[name]) for name in _CODES if name in body)


def check_withheld(body: Mapping[str, Any]) -> None:
    """As `check_issued`. Raises ValidationError."""
    get = body.get
    numbers = (get("on_hand", "0"), get("on_order", "0"), get("inventory_position", "0"), get("reorder_point", "0"))
    fits = _WITHHELD.fullmatch(" ".join(numbers)) is not None and 0 < len(body["says"]) <= SAYS_MAX
    fits = fits and 0 <= get("days_of_cover", 0) < INFINITE and _is_reason(body["reason"])
    if not (fits and all(_is_code(body[name]) for name in _CODES_WITHHELD if name in body)):
        RecommendationWithheld.model_validate({"origin": None, **body})


def digits(number: Decimal) -> str:
    """A decimal as contracts write it, idle zeros included."""
    return format(number, "f")


def _asker(kind: Any) -> Any:
    judge = TypeAdapter(kind)

    @lru_cache(maxsize=16_384)
    def fits(text: str) -> bool:
        try:
            judge.validate_python(text)
        except ValidationError:
            return False
        return True

    return fits


_is_code, _is_reason, _is_currency = _asker(Code), _asker(Reason), _asker(Currency)
