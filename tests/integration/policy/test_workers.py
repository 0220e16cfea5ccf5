"""Processes that plan beside the service: one that cannot says why, and none is left behind."""

import psutil
import pytest

from services.policy import workers


async def test_a_process_that_cannot_plan_says_why_and_all_have_ended() -> None:
    before = {one.pid for one in psutil.Process().children()}
    with pytest.raises(workers.WorkerFailed, match="ConnectionRefusedError"):
        await workers.plan_all("postgresql://policy@127.0.0.1:9/nowhere", "acme", 2, lambda _seconds: None)
    assert {one.pid for one in psutil.Process().children()} <= before
