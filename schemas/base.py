"""What every message is made of: strict when written, tolerant when read; money and quantities are decimals."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import json_or_python_schema, no_info_wrap_validator_function

# Of one kind of value; more begin anew. A longer text is a number with many zeros or a mistake: neither comes again.
REMEMBERED_MAX, REMEMBERED_CHARACTERS_MAX = 4_096, 32


def _plain(value: Decimal) -> str:
    """A decimal as plain digits: no exponent, so that equal numbers of equal scale have equal bytes."""
    return format(value, "f")


# A clock that was never set, a misread date format or "for ever" as the year 9999 is no moment to plan by; and near the ends of
# the calendar another time zone or the end of a horizon would lie outside of it.
YEAR_FIRST, YEAR_LAST = 1900, 2999


def in_calendar(value: date) -> date:
    """The day or moment itself. Raises ValueError when its year is none to plan by."""
    if not YEAR_FIRST <= value.year <= YEAR_LAST:
        raise ValueError(
            f"lies outside of the years {YEAR_FIRST} to {YEAR_LAST}; check its source's clock and date format"
        )
    return value


def utc(value: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError when it has no offset, or when its year is none to plan by."""
    if value.tzinfo is None:
        raise ValueError("needs an offset, for example 2017-11-05T18:04:11Z")
    in_calendar(value)
    return value.astimezone(UTC)


class Remembered:
    """Reads a text of JSON that came before as it was read then, which depends on nothing else. Tills repeat a few quantities, prices
    and, after an outage, moments: to read these three took a third of what a sale's whole contract takes (4.0 us, and 2.6 with this).
    One for each kind of value, as what is remembered of one is nothing to another."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What is no JSON is read as if nothing were remembered."""
        plain, known = handler(source), self._known

        def read(value: Any, whole: ValidatorFunctionWrapHandler) -> Any:
            if type(value) is not str:
                # A number reaches us as a float, and 1.0 is one digit of JSON to the contract.
                return whole(_digits(value) if type(value) is float and source is Decimal else value)
            made = known.get(value)
            if made is None:
                made = whole(value)
                if len(value) <= REMEMBERED_CHARACTERS_MAX:
                    if len(known) >= REMEMBERED_MAX:
                        known.clear()
                    known[value] = made
            return made

        return json_or_python_schema(no_info_wrap_validator_function(read, plain), plain)


def _digits(value: float) -> str:
    return _plain(Decimal(repr(value))).removesuffix(".0")


Text = Annotated[str, Field(min_length=1, max_length=200)]
# Keys are joined with "/" into the record key, so a part may not hold one; control characters never help anyone.
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f\x7f]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
Instant = Annotated[datetime, AfterValidator(utc), Remembered()]
Day = Annotated[date, AfterValidator(in_calendar)]
# 12 digits before the point hold any retailer's quantity or amount; 4 behind it hold kilograms and unit prices.
Quantity = Annotated[
    Decimal,
    Field(max_digits=16, decimal_places=4, allow_inf_nan=False),
    Remembered(),
    PlainSerializer(_plain, str, "json"),
]
PositiveQuantity = Annotated[
    Decimal,
    Field(gt=0, max_digits=16, decimal_places=4, allow_inf_nan=False),
    Remembered(),
    PlainSerializer(_plain, str, "json"),
]
NaturalQuantity = Annotated[
    Decimal,
    Field(ge=0, max_digits=16, decimal_places=4, allow_inf_nan=False),
    Remembered(),
    PlainSerializer(_plain, str, "json"),
]
Money = Annotated[
    Decimal,
    Field(ge=0, max_digits=16, decimal_places=4, allow_inf_nan=False),
    Remembered(),
    PlainSerializer(_plain, str, "json"),
]
SignedMoney = Annotated[
    Decimal,
    Field(max_digits=16, decimal_places=4, allow_inf_nan=False),
    Remembered(),
    PlainSerializer(_plain, str, "json"),
]
Ratio = Annotated[
    Decimal,
    Field(ge=0, le=1, max_digits=8, decimal_places=6, allow_inf_nan=False),
    Remembered(),
    PlainSerializer(_plain, str, "json"),
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Part(BaseModel):
    """A piece of a message. Readers ignore unknown fields; the gateway forbids them (`schemas.registry.strict`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Message(Part):
    """One kind of event. `TYPE` is its name on the wire; the topic that carries it is in `schemas/topics.yaml`."""

    TYPE: ClassVar[str]
    tenant: Code

    def record_key(self) -> str:
        """The Kafka record key: what must stay in order with this message."""
        raise NotImplementedError(f"{type(self).__name__} does not say its record key")

    def wire(self) -> bytes:
        """The JSON that is published; absent fields are left out."""
        return self.model_dump_json(exclude_none=True).encode()
