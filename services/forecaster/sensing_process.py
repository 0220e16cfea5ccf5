"""The sensing process and its watchdog: started by the forecaster, restarted when it stands still, ended with it."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson

from kit import telemetry
from kit.clock import pause
from services.forecaster.settings import Settings

log = telemetry.get_logger()
RESTARTS = telemetry.counter("sensing_restarts_total", "Times live sensing was restarted", ("reason",))
SENSING_LAG = telemetry.gauge("sensing_lag_records", "Sales live sensing has not looked at yet")
RESTART_SECONDS_FIRST, RESTART_SECONDS_MAX = 2.0, 60.0
STOP_SECONDS = 1.0  # it holds nothing that a clean end would save
LOOK_SECONDS = 0.25


class SensingProcess:
    """Watches one child. Sensing is advisory: whatever happens to it never makes the forecaster unready.

    `lag`: records the books are behind, None while that is not known.
    """

    def __init__(self, settings: Settings, lag: Callable[[], int | None]) -> None:
        self._settings = settings
        self._lag_of_books = lag
        self._child: asyncio.subprocess.Process | None = None
        self._handled = -1
        self._lag = 0
        self._moved_at = time.monotonic()
        self._restarts = 0

    async def state(self) -> tuple[bool, Any]:
        """For readiness: always ready, with the facts."""
        alive = self._child is not None and self._child.returncode is None
        return True, {"running": alive, "handled": max(self._handled, 0), "lag": self._lag, "restarts": self._restarts}

    async def watch(self, stop: asyncio.Event) -> None:
        """Start, watch, start again; ever more patiently while it keeps failing at once."""
        delay = RESTART_SECONDS_FIRST
        while not stop.is_set():
            await self._await_the_present(stop)
            if stop.is_set():
                return
            started = time.monotonic()
            reason = await self._live_once(stop)
            if stop.is_set():
                return
            self._restarts += 1
            RESTARTS.labels(reason).inc()
            log.warning("sensing_restarted", reason=reason, handled=self._handled, lag=self._lag)
            lived = time.monotonic() - started
            delay = RESTART_SECONDS_FIRST if lived > RESTART_SECONDS_MAX else min(delay * 2, RESTART_SECONDS_MAX)
            try:
                await asyncio.wait_for(stop.wait(), delay)
            except TimeoutError:
                continue

    async def _await_the_present(self, stop: asyncio.Event) -> None:
        """Until the books are nearly up to date: it would skip what is so old, and starting it and skipping that takes
        processor from them."""
        while not stop.is_set():
            lag = self._lag_of_books()
            if lag is not None and lag <= self._settings.sensing_lag_records_max:
                return
            await pause(stop, LOOK_SECONDS)

    async def _live_once(self, stop: asyncio.Event) -> str:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.forecaster.sensing",
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
        )
        self._moved_at = time.monotonic()
        ended = asyncio.create_task(self._child.wait())
        reports = asyncio.create_task(self._read_reports(self._child))
        reason = "ended"
        try:
            while not ended.done() and not stop.is_set():
                await asyncio.wait([ended], timeout=1.0)
                stalled = time.monotonic() - self._moved_at > self._settings.sensing_stall_seconds
                if stalled and not ended.done():
                    reason = "stalled"
                    self._child.kill()
                    await ended
        finally:
            await self.close()
            reports.cancel()
            ended.cancel()
        return reason

    async def _read_reports(self, child: asyncio.subprocess.Process) -> None:
        """One JSON line a second; with a backlog, only progress counts as a sign of life."""
        assert child.stdout is not None
        async for line in child.stdout:
            try:
                told = orjson.loads(line)
                handled, self._lag = int(told["handled"]), int(told["lag"])
            except (ValueError, KeyError, TypeError):
                continue
            SENSING_LAG.set(self._lag)
            if handled != self._handled or self._lag == 0:
                self._moved_at = time.monotonic()
            self._handled = handled

    async def close(self) -> None:
        """End the child: ask first, then insist."""
        child = self._child
        if child is None or child.returncode is not None:
            return
        try:
            child.terminate()
            await asyncio.wait_for(child.wait(), STOP_SECONDS)
        except TimeoutError:
            child.kill()
            await child.wait()
        except ProcessLookupError:
            return
