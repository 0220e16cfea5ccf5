"""Long computations in a process of their own: it reads the history itself, tells how far it is, and ends.

The service keeps consuming meanwhile, and all memory a computation needed is gone with its process.
"""

import asyncio
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from kit import memory
from kit.database import Database
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.known_ahead import Told, learnable
from services.forecaster.model.shelf import Place
from services.forecaster.store import catalogue, history, signals

NICE = 5  # a computation yields to consuming when both want the processor
POLL_SECONDS = 0.5
END_SECONDS = 2.0


class ChildFailed(RuntimeError):
    """The computation could not be done; args[0] is what it said."""


class ChildStopped(RuntimeError):
    """Somebody no longer wants the result."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a child finds a tenant's history and the models. Goes through a pipe, so it holds plain values only."""

    tenant: str
    database_url: str
    models: Place
    history_days: int
    seed: int
    threads: int


Work = Callable[[Source, Any, Callable[[str, float], None]], Any]


def read_frame(source: Source) -> Frame | None:
    """The tenant's frame, read in portions over a connection of the child's own; None when no day is closed."""

    async def read() -> Any:
        database = await Database.open(source.database_url, "forecaster", pool_max=1)
        try:
            async with database.transaction(source.tenant) as tx:
                told = Told(await signals.known(tx, source.tenant), await catalogue.places(tx, source.tenant))
                return await history.frame(tx, source.tenant, history_days=source.history_days), told
        finally:
            await database.close()

    frame, told = asyncio.run(read())
    return learnable(frame, told) if frame is not None else None


def live(pipe: Connection, work: Work, source: Source, request: Any) -> None:
    """The child's whole life: work, tell, end. What it sends is (kind, …); it writes nothing to Kafka or Postgres."""
    os.nice(NICE)
    memory.give_large_blocks_back()
    try:
        pipe.send(("done", work(source, request, lambda stage, share: pipe.send(("progress", stage, share)))))
    except Exception as error:  # the parent decides what a failure means; a traceback in a pipe helps nobody
        pipe.send(("failed", f"{type(error).__name__}: {error}"))


class Nursery:
    """At most one child, watched until its end."""

    def __init__(self) -> None:
        self._child: multiprocessing.process.BaseProcess | None = None

    async def run(
        self, work: Work, source: Source, request: Any, report: Callable[[str, float], Awaitable[bool]]
    ) -> Any:
        """What `work` returned. `report` gets stage and share every half second and says whether to go on.

        Raises ChildFailed with the child's words, or ChildStopped when `report` said no.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=live, args=(theirs, work, source, request), name=work.__name__, daemon=True)
        self._child = child
        await asyncio.to_thread(child.start)
        theirs.close()
        stage, share = "starting", 0.01
        try:
            while True:
                if await asyncio.to_thread(ours.poll, POLL_SECONDS):
                    message = ours.recv()
                    if message[0] == "done":
                        return message[1]
                    if message[0] == "failed":
                        raise ChildFailed(message[1])
                    _, stage, share = message
                if not await report(stage, share):
                    raise ChildStopped(stage)
        except EOFError as error:
            raise ChildFailed("the process ended without a word; is there enough memory?") from error
        finally:
            ours.close()
            await asyncio.to_thread(end, child)
            self._child = None

    async def close(self) -> None:
        """End a computation in progress; its job is taken up by the next process."""
        if self._child is not None and self._child.is_alive():
            self._child.terminate()


def end(child: multiprocessing.process.BaseProcess) -> None:
    """Let it end, then make it end."""
    child.join(timeout=END_SECONDS)
    if child.is_alive():
        child.kill()
        child.join(timeout=END_SECONDS)
