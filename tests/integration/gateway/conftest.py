"""One gateway process for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests import ground
from tests.ground import Ground
from tests.integration.gateway.process import Gateway, make_gateway


@pytest.fixture(scope="module")
def gateway(platform: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for the tests of a module."""
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        made = make_gateway(platform, namespace, database, tmp_path_factory.mktemp("gateway"))
        made.start()
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.stop()
