"""The platform code against the official images: topics, roles and migrations come out the same as embedded."""

from collections.abc import Iterator

import pytest

from cli.platform import databases, topics
from tests import containers
from tests.ground import FreshDatabase, Ground, fresh_database, fresh_namespace, wait_for


@pytest.fixture(scope="module")
def contained() -> Iterator[Ground]:
    with containers.running() as ground:
        yield ground


@pytest.mark.containers
@pytest.mark.timeout(400)
def test_topics_and_schemas_are_made_on_the_official_images(contained: Ground) -> None:
    with fresh_namespace(contained) as namespace, fresh_database(contained) as database:
        assert wait_for(topics.ensure(contained.kafka_bootstrap, namespace)).created == []
        applied = wait_for(databases.ensure(database.target))
        assert all(applied[service] for service in databases.SERVICES)
        assert isinstance(database, FreshDatabase)


def test_images_are_those_of_the_compose_file() -> None:
    assert containers.images()["kafka"].startswith("apache/kafka:4.")
    assert containers.images()["postgres"].startswith("postgres:")
