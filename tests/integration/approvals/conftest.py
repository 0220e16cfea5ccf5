"""A seat per test: one approvals process, its own namespace and database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ground import FreshDatabase, Ground
from tests.integration.approvals.seat import Seat


@pytest.fixture
async def seat(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Seat]:
    """Approvals, running, with a short undo window."""
    async with Seat(platform, namespace, database, tmp_path) as running:
        yield running


@pytest.fixture
async def patient_seat(
    platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path
) -> AsyncIterator[Seat]:
    """Approvals, running, with an undo window nobody outlasts."""
    async with Seat(platform, namespace, database, tmp_path, COUNTERSIGN_UNDO_WINDOW_SECONDS="600") as running:
        yield running
