"""Processes that plan the chunks of a long run beside the service, which goes on booking sales and publishing meanwhile.

They share nothing with it but the database: a chunk is one transaction wherever it is planned, so that one that is killed
leaves its chunk to the next. All memory a run needed is gone with its processes. Their start takes most of a second, in which
the service cuts the run.
"""

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TextIO

import uvloop

from kit import memory
from kit.database import Database
from services.policy import chunks

NICE = 5  # a run yields to what happens now when both want the processor
END_SECONDS = 5.0
STDIN, STDOUT, STDERR = 0, 1, 2


class WorkerFailed(RuntimeError):
    """A process could not plan its chunk; args[0] is what it said."""


def live() -> None:
    """A process' whole life: plan chunks until there are none, telling the seconds of each in a line. What it needs to know
    it reads from standard input, which stays open as long as the service lives."""
    os.nice(NICE)
    memory.keep_freed_blocks()
    line = sys.stdin.readline()
    if not line:
        return  # the service has ended, or has nothing for it
    told = json.loads(line)
    threading.Thread(target=_die_with_service, name="service", daemon=True).start()
    says = os.fdopen(os.dup(STDOUT), "w", buffering=1)
    os.dup2(STDERR, STDOUT)  # what anybody else prints is for people
    try:
        uvloop.run(_plan_all(told["database_url"], told["tenant"], says))
    except Exception as error:  # the service logs the words; what is left of the run is in the database
        print(json.dumps(f"{type(error).__name__}: {error}"), file=says)


def _die_with_service() -> None:
    while os.read(STDIN, 1):
        pass
    os._exit(1)


async def _plan_all(database_url: str, tenant: str, says: TextIO) -> None:
    database = await Database.open(database_url, "policy", pool_max=1, by_index=True)
    memory.collect_when_told()
    try:
        began = time.perf_counter()
        while await chunks.plan_next(database, tenant):
            print(json.dumps(time.perf_counter() - began), file=says)
            memory.tidy()
            began = time.perf_counter()
    finally:
        await database.close()


@dataclass(frozen=True, slots=True)
class Crew:
    """Processes that wait to be told what to plan."""

    children: Sequence[Process]

    async def plan_all(self, database_url: str, tenant: str, took: Callable[[float], None]) -> None:
        """Plan all chunks of a tenant; `took` hears the seconds of each chunk. A crew plans once.

        Raises WorkerFailed with the first failure, when all have ended.
        """
        told = json.dumps({"database_url": database_url, "tenant": tenant}).encode() + b"\n"
        for child in self.children:
            assert child.stdin is not None  # a pipe was asked for
            child.stdin.write(told)
        failures = await asyncio.gather(*(_listen(child, took) for child in self.children))
        failed = [one for one in failures if one is not None]
        if failed:
            raise WorkerFailed(failed[0])


@asynccontextmanager
async def crew_of(count: int) -> AsyncIterator[Crew]:
    """So many processes, begun at once and ended with the block."""
    children: list[Process] = []
    try:
        for _ in range(count):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.policy.workers", stdin=PIPE, stdout=PIPE
            )
            children.append(child)
        yield Crew(children)
    finally:
        for child in children:
            await _end(child)


async def _listen(child: Process, took: Callable[[float], None]) -> str | None:
    """Until the process ends: None when there was nothing left to plan, else what went wrong."""
    assert child.stdout is not None  # a pipe was asked for
    async for line in child.stdout:
        said = json.loads(line)
        if isinstance(said, str):
            return said
        took(said)
    code = await child.wait()
    return None if code == 0 else f"a planning process ended with {code}; is there enough memory?"


async def _end(child: Process) -> None:
    """Wait for its end, which the end of its input brings about; kill it when that takes too long."""
    assert child.stdin is not None  # a pipe was asked for
    child.stdin.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), END_SECONDS)
    if child.returncode is None:
        child.kill()
        await child.wait()


if __name__ == "__main__":
    live()
