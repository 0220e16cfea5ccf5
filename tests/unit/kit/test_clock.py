"""The installation's clock: the database's time, carried on steadily, whatever the machine's own clock does."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from kit.clock import StoreClock

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Steady:
    """A monotonic clock that a test turns. `asking_takes` passes while the database answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds, self.asking_takes, self.told = 1000.0, 0.0, NOON
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)
        self.clock = StoreClock(self._answer)

    async def _answer(self) -> datetime:
        self.seconds += self.asking_takes
        return self.told


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    return Steady(monkeypatch)


async def test_time_goes_on_from_what_the_database_said(steady: Steady) -> None:
    await steady.clock.look()
    steady.seconds += 90.5
    assert steady.clock.now() == NOON + timedelta(seconds=90.5)


async def test_a_jump_of_the_machines_clock_is_not_seen(steady: Steady, monkeypatch: pytest.MonkeyPatch) -> None:
    await steady.clock.look()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert steady.clock.now() == NOON


async def test_the_answer_is_of_the_middle_of_the_question(steady: Steady) -> None:
    steady.asking_takes = 0.4
    await steady.clock.look()
    assert steady.clock.now() == NOON + timedelta(seconds=0.2)


async def test_a_slow_answer_does_not_move_a_clock_that_goes(steady: Steady) -> None:
    await steady.clock.look()
    steady.asking_takes, steady.told = 5.0, NOON + timedelta(hours=1)
    await steady.clock.look()
    assert steady.clock.now() == NOON + timedelta(seconds=5)


async def test_a_clock_that_was_never_set_tells_no_time(steady: Steady) -> None:
    with pytest.raises(RuntimeError, match="never set"):
        steady.clock.now()
