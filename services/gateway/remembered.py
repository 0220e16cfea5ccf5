"""Answers that every open page asks for at the same moments: found once, told to all who ask meanwhile."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

KEPT_MAX = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A body and its tag (RFC 9110 §8.8.3): the same bytes have the same one, at every gateway."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    mark: int
    asked_at: float
    task: "asyncio.Task[T]"


class Remembered(Generic[T]):
    """Keeps an answer for `seconds`, counted from when it was asked for, and no longer than its mark stays the same."""

    def __init__(self, seconds: float, kept_max: int = KEPT_MAX) -> None:
        self._seconds = seconds
        self._kept_max = kept_max
        self._kept: OrderedDict[Hashable, _Answer[T]] = OrderedDict()

    async def get(self, key: Hashable, find: Callable[[], Awaitable[T]], mark: int = 0) -> T:
        """What `find` answers for `key`. `mark` says what the answer is drawn from: with another one it is found again,
        so nobody is told what was so before the change they heard of. A failure is told to those who wait for it, and kept
        for nobody."""
        kept = self._kept.get(key)
        if kept is None or not self._is_good(kept, mark):
            kept = _Answer(mark, time.monotonic(), asyncio.ensure_future(_run(find)))
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > self._kept_max:
                self._kept.popitem(last=False)
        # Shielded: the one who asked first may hang up while others wait for the same answer.
        return await asyncio.shield(kept.task)

    def _is_good(self, kept: _Answer[T], mark: int) -> bool:
        task = kept.task
        if task.done() and (task.cancelled() or task.exception() is not None):
            return False
        return kept.mark == mark and time.monotonic() < kept.asked_at + self._seconds


async def _run(find: Callable[[], Awaitable[T]]) -> T:
    return await find()
