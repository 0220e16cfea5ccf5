"""Both consumers of the event streams, for tests that compare what they make of the same events."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests import ground
from tests.ground import Ground
from tests.integration.events.both import Both, both


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(platform: Ground) -> AsyncIterator[Both]:
    """Forecaster and policy for the tests of one module: making topics and databases costs more than the tests."""
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        async with both(platform, namespace, database) as found:
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def side(pair: Both) -> Both:
    """Both services running, and a tenant nobody else uses."""
    await pair.begin()
    return pair
