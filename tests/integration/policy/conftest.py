"""The policy service as a process on a corner of the platform of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.ground import FreshDatabase, Ground
from tests.integration.policy.seat import Seat


@pytest_asyncio.fixture
async def seat(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Seat]:
    """A running policy service."""
    taken = Seat(platform, namespace, database, tmp_path)
    taken.start()
    try:
        yield taken
    finally:
        await taken.close()
