"""Both consumers of the event streams, for tests that compare what they make of the same events."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.ground import FreshDatabase, Ground
from tests.integration.events.both import Both, both


@pytest_asyncio.fixture
async def side(platform: Ground, namespace: str, database: FreshDatabase) -> AsyncIterator[Both]:
    """Forecaster and policy, connected; `side.start()` lets them consume."""
    async with both(platform, namespace, database) as found:
        yield found
