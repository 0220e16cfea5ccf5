"""Fixtures every test may ask for: a real Kafka and PostgreSQL, a fresh corner of them, and services as processes."""

from collections.abc import Iterator

import pytest

from tests import ground
from tests.ground import FreshDatabase, Ground


def pytest_configure(config: pytest.Config) -> None:
    """In the controller, before any worker starts: choose the folder all of them share."""
    if not hasattr(config, "workerinput"):
        ground.prepare()


def pytest_unconfigure(config: pytest.Config) -> None:
    """In the controller, after every worker has ended: stop what the session started."""
    if not hasattr(config, "workerinput"):
        ground.clear()


@pytest.fixture(scope="session")
def platform() -> Ground:
    """A real Kafka and a real PostgreSQL: the configured ones, or embedded ones for this session."""
    return Ground.find()


@pytest.fixture
def namespace(platform: Ground) -> Iterator[str]:
    """A prefix for topics and groups that nobody else uses; its topics exist."""
    with ground.fresh_namespace(platform) as fresh:
        yield fresh


@pytest.fixture
def database(platform: Ground) -> Iterator[FreshDatabase]:
    """A database that nobody else uses. `database.url(service)` is a service's address, its schema migrated."""
    with ground.fresh_database(platform) as fresh:
        yield fresh
