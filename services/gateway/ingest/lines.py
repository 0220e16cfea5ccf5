"""Newline-delimited JSON: pieces of a body in, events out, never more than one line in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from kit.events import VALUE_BYTES_MAX
from services.gateway.ingest.check import Refused

# An event of the largest size and its envelope.
LINE_BYTES_MAX = VALUE_BYTES_MAX + 16_384


@dataclass(slots=True)
class Lines:
    """Cuts pieces into lines. A line longer than `limit` is given as its refusal, and the rest of it is skipped."""

    limit: int = LINE_BYTES_MAX
    _rest: bytearray = field(default_factory=bytearray)
    _skipping: bool = False

    def feed(self, piece: bytes) -> Iterator[Any]:
        """The events of the lines this piece completes: parsed JSON, or Refused for a line that is none."""
        if b"\n" not in piece:
            self._keep(piece)
            return
        head, *middle, tail = piece.split(b"\n")
        self._keep(head)
        yield from self.end()
        for line in middle:
            yield from self._event(line)
        self._keep(tail)

    def end(self) -> Iterator[Any]:
        """The last line, which needs no newline."""
        line, was_skipping = bytes(self._rest), self._skipping
        self._rest.clear()
        self._skipping = False
        if was_skipping:
            yield self._too_long()
        else:
            yield from self._event(line)

    def _keep(self, piece: bytes) -> None:
        if self._skipping or len(self._rest) + len(piece) > self.limit:
            self._skipping = True
            self._rest.clear()
        else:
            self._rest += piece

    def _event(self, line: bytes) -> Iterator[Any]:
        if len(line) > self.limit:
            yield self._too_long()
        elif line and not line.isspace():
            yield read_event(line)

    def _too_long(self) -> Refused:
        return Refused("", f"the line is longer than {self.limit} bytes")


def read_event(line: bytes) -> Any:
    """One line's JSON, or why it is none."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Refused("", f"the line is not JSON: {error}")
