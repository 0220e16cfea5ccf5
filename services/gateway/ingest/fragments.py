"""The hot path of a check: a message written field by field, each by the contract's own field, each text only once.

A till repeats itself: the same products, days, prices and quantities. What a field's contract makes of a value depends on
nothing but the value, so it is remembered. Whatever this cannot write, valid or not, is left to the whole contract.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from schemas.base import Message
from schemas.demand import ItemMessage
from schemas.registry import MESSAGES
from schemas.topics import SALES, STOCK

# Per field. A field of ever new values (a moment, a receipt line) starts afresh here; 10 fields cost some 10 MB at most.
REMEMBERED_MAX = 8_192
# A longer text is a number with a thousand zeros before it: it does not come again, and thousands of them would fill the memory.
CHARACTERS_MAX = 128
MASSES = frozenset((*SALES.messages, *STOCK.messages))
# 1, true and "1" are equal or look alike and mean different things, so each type has its own memory. Floats have none:
# 0.0 and -0.0 are one key.
PLAIN_TYPES = (str, bool, int)


class FieldWriter:
    """`name` of a message: what the contract makes of a value, as the bytes of its place in the message."""

    def __init__(self, model: type[Message], name: str) -> None:
        field = model.model_fields[name]
        self.name = name
        self._prefix = to_json(name) + b":"
        self._adapter: TypeAdapter[Any] = TypeAdapter(
            field.rebuild_annotation(), config=ConfigDict(allow_inf_nan=model.model_config.get("allow_inf_nan", True))
        )
        self.is_required = field.is_required()
        # What is written when the field is left out; nothing for None, as in the whole message.
        self.default = b""
        if not self.is_required and field.get_default(call_default_factory=True) is not None:
            self.default = self._prefix + self._adapter.dump_json(field.get_default(call_default_factory=True))
        self._known: dict[type, dict[Any, bytes]] = {kind: {} for kind in PLAIN_TYPES}
        self.texts = self._known[str]

    def write(self, value: Any) -> bytes | None:
        """The field as it stands in the message, or None when the whole contract has to look at it."""
        known = self._known.get(value.__class__)
        if known is None:
            return None
        fragment = known.get(value)
        return fragment if fragment is not None else self._learn(known, value)

    def write_all(self, values: Sequence[Any]) -> list[bytes | None]:
        """As `write`, for each."""
        try:
            # Nearly every value is a text that was seen before.
            fragments = [*map(self.texts.get, values)]
        except TypeError:  # a list or an object is among them
            return [*map(self.write, values)]
        if all(fragments):
            return fragments
        return [fragment or self.write(value) for fragment, value in zip(fragments, values, strict=True)]

    def _learn(self, known: dict[Any, bytes], value: Any) -> bytes | None:
        try:
            meant = self._adapter.validate_python(value)
            if meant is None:
                return None
            fragment = self._prefix + self._adapter.dump_json(meant)
        except (ValidationError, PydanticSerializationError):
            return None
        if value.__class__ is not str or len(value) <= CHARACTERS_MAX:
            if len(known) >= REMEMBERED_MAX:
                known.clear()
            known[value] = fragment
        return fragment


class Writer:
    """Writes messages of one type. Equal to validating and dumping the whole message, or nothing at all."""

    def __init__(self, model: type[Message]) -> None:
        self._fields = [FieldWriter(model, name) for name in model.model_fields]

    def write(self, data: Mapping[str, Any], tenant: str) -> bytes | None:
        """The message's JSON, as `model_dump_json(exclude_none=True)` would write it; None: ask the whole contract."""
        fragments = []
        left = len(data)
        for field in self._fields:
            name = field.name
            if name == "tenant":
                left -= name in data
                fragment = field.write(tenant)
            elif name in data:
                left -= 1
                value = data[name]
                # Nearly every value is a text that was seen before.
                fragment = field.texts.get(value) if value.__class__ is str else None
                if fragment is None:
                    fragment = field.write(value)
            elif field.is_required:
                return None
            else:
                fragment = field.default
            if fragment is None:
                return None
            if fragment:
                fragments.append(fragment)
        return b"{" + b",".join(fragments) + b"}" if left == 0 else None

    def plan(self, tenant: str, names: Sequence[str]) -> "Plan | None":
        """How to write messages of exactly these fields; None where the whole contract or `write` has to look at them."""
        pieces: list[bytes] = []
        slots: list[FieldWriter] = []
        for field in self._fields:
            if field.name in names and field.name != "tenant":
                slots.append(field)
                pieces.append(b"%b")
                continue
            always = field.write(tenant) if field.name == "tenant" else field.default
            if always is None or (field.is_required and field.name != "tenant"):
                return None
            if always:
                pieces.append(always.replace(b"%", b"%%"))
        # One name alone would be read as a value and not as a row of them; no message of the masses is so short.
        return Plan(b"{" + b",".join(pieces) + b"}", slots) if 1 < len(slots) == len(names) else None


class Plan:
    """Writes messages of one tenant that all have the same fields: `Writer.write` with everything but the values done.
    `names`: those fields, in the contract's order."""

    def __init__(self, form: bytes, fields: Sequence[FieldWriter]) -> None:
        self._form = form
        self._fields = fields
        self.names = tuple(field.name for field in fields)
        self.columns_of_item = self.names.index("sku"), self.names.index("location")
        self._values: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*self.names)

    def columns(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Any]]:
        """The values of each field. Raises TypeError for what is no mapping, KeyError for a row without one of the fields."""
        return [*zip(*map(self._values, rows), strict=True)]

    def write_all(self, columns: Sequence[Sequence[Any]]) -> list[bytes | None]:
        """As `Writer.write` of each row. `columns`: the values of each of the fields `names`."""
        written = [field.write_all(column) for field, column in zip(self._fields, columns, strict=True)]
        form = self._form
        if all(map(all, written)):
            return [form % row for row in zip(*written, strict=True)]
        return [form % row if all(row) else None for row in zip(*written, strict=True)]


@functools.cache
def writer(message_type: str) -> Writer | None:
    """For the messages that come in masses and whose fields do not depend on each other; None for all others."""
    model = MESSAGES[message_type]
    decorators = model.__pydantic_decorators__
    has_rules_of_the_whole = decorators.model_validators or decorators.field_validators or decorators.field_serializers
    is_mass = message_type in MASSES and issubclass(model, ItemMessage)
    return Writer(model) if is_mass and not has_rules_of_the_whole else None


def item_key(message_type: str, tenant: str, sku: str, location: str) -> bytes:
    """The record key of a message about an item, by the contract's own rule. For fields that were checked."""
    model = MESSAGES[message_type]
    return model.model_construct(None, tenant=tenant, sku=sku, location=location).record_key().encode()
