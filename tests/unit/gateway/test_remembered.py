"""What every page asks for at the same moments is found once, and never older than what a page was told."""

import asyncio

import pytest

from services.gateway.remembered import Remembered


class Source:
    """Answers with a count of how often it was asked, once the gate is open."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> int:
        self.asked += 1
        found = self.asked
        await self.gate.wait()
        return found


async def test_all_who_ask_meanwhile_get_the_one_answer() -> None:
    remembered, source = Remembered[int](60), Source()
    source.gate.clear()
    asking = [asyncio.ensure_future(remembered.get("acme", source)) for _ in range(50)]
    await asyncio.sleep(0)
    source.gate.set()
    assert set(await asyncio.gather(*asking)) == {1}
    assert await remembered.get("acme", source) == 1
    assert await remembered.get("globex", source) == 2, "each tenant has answers of its own"


async def test_an_answer_from_before_the_newest_event_is_not_given() -> None:
    remembered, source = Remembered[int](60), Source()
    assert await remembered.get("acme", source, mark=7) == 1
    assert await remembered.get("acme", source, mark=7) == 1
    assert await remembered.get("acme", source, mark=8) == 2
    source.gate.clear()
    before = asyncio.ensure_future(remembered.get("acme", source, mark=9))
    await asyncio.sleep(0)
    after = asyncio.ensure_future(remembered.get("acme", source, mark=10))
    await asyncio.sleep(0)
    source.gate.set()
    assert list(await asyncio.gather(before, after)) == [3, 4], "an answer on its way was drawn before the event, too"


async def test_an_answer_is_found_again_when_its_time_is_over() -> None:
    remembered, source = Remembered[int](0), Source()
    assert [await remembered.get("acme", source) for _ in range(3)] == [1, 2, 3]


async def test_a_failure_is_not_kept() -> None:
    remembered, source = Remembered[int](60), Source()

    async def fails() -> int:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await remembered.get("acme", fails)
    assert await remembered.get("acme", source) == 1


async def test_who_hangs_up_takes_the_answer_from_nobody() -> None:
    remembered, source = Remembered[int](60), Source()
    source.gate.clear()
    first = asyncio.ensure_future(remembered.get("acme", source))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(remembered.get("acme", source))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await second == 1
