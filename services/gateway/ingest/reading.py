"""A body whose events are all of a shape that came before, read straight into that shape: no dictionaries, half the time.

A till sends the same few shapes again and again. Whatever does not fit one of them, valid or not, is left to the JSON of
anything.
"""

import functools
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from services.gateway.ingest.check import TEXT_MAX, TIME_MAX

# How many shapes of one tenant are tried; one that does not fit says so at the first event that differs.
LATELY_MAX = 4
TENANTS_CACHED = 256
READERS_CACHED = 64
# An event as JSON would have given it.
plain = msgspec.to_builtins


class Reader:
    """Reads batches of one type whose messages have exactly the fields `names`, all of them texts.

    What is read has the attributes of an event, texts of the length their contract allows, and `data` with the fields in
    the order of `names`.
    """

    def __init__(self, message_type: str, names: Sequence[str]) -> None:
        self.message_type = message_type
        self.names = (*names,)
        data = _struct([(name, str) for name in names])
        attributes = [
            ("specversion", Literal["1.0"]),
            ("id", _text(TEXT_MAX["id"])),
            ("source", _text(TEXT_MAX["source"])),
            ("type", Literal[message_type]),
            ("time", _text(TIME_MAX)),
            ("data", data),
        ]
        self._decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[_struct(attributes)])  # type: ignore[misc]

    def read(self, body: bytes) -> list[Any] | None:
        """The events, or None when one of them is not of this shape."""
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None


def _struct(fields: Sequence[tuple[str, Any]]) -> Any:
    return msgspec.defstruct("Read", fields, gc=False, forbid_unknown_fields=True)


def _text(longest: int) -> Any:
    return Annotated[str, msgspec.Meta(min_length=1, max_length=longest)]


@functools.lru_cache(maxsize=READERS_CACHED)
def _reader(message_type: str, names: tuple[str, ...]) -> Reader:
    return Reader(message_type, names)


class Lately:
    """The shapes a tenant's batches had lately, the last one first."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self._readers: list[Reader] = []

    def read(self, body: bytes) -> tuple[list[Any], Reader] | None:
        """The events with the reader whose shape they have; None when none fits."""
        for reader in self._readers:
            events = reader.read(body)
            if events is not None:
                self._put_first(reader)
                return events, reader
        return None

    def learn(self, message_type: str, names: tuple[str, ...]) -> None:
        """Try this shape first next time."""
        self._put_first(_reader(message_type, names))

    def _put_first(self, reader: Reader) -> None:
        self._readers = [reader, *(one for one in self._readers if one is not reader)][:LATELY_MAX]


lately = functools.lru_cache(maxsize=TENANTS_CACHED)(Lately)
