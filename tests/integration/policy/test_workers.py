"""Processes that plan beside the service: one that cannot says why, and none is left behind."""

import psutil
import pytest

from services.policy import workers


async def test_a_process_that_cannot_plan_says_why_and_all_have_ended() -> None:
    before = {one.pid for one in psutil.Process().children()}
    with pytest.raises(workers.WorkerFailed, match="ConnectionRefusedError"):
        async with workers.crew_of(2) as crew:
            await crew.plan_all("postgresql://policy@127.0.0.1:9/nowhere", "acme", lambda _seconds: None)
    assert {one.pid for one in psutil.Process().children()} <= before


async def test_processes_that_are_told_nothing_end_with_who_began_them() -> None:
    before = {one.pid for one in psutil.Process().children()}
    async with workers.crew_of(2) as crew:
        assert all(child.returncode is None for child in crew.children)
    assert [child.returncode for child in crew.children] == [0, 0]
    assert {one.pid for one in psutil.Process().children()} <= before
