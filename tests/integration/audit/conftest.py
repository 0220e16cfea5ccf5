"""One audit service per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ground import FreshDatabase, Ground
from tests.integration.audit.bench import AuditBench, audit_bench


@pytest.fixture
async def audit(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[AuditBench]:
    async with audit_bench(platform, namespace, database, tmp_path) as bench:
        yield bench
