"""The stage every scenario plays on: made once per module, with the tiny world's history told and taken in."""

from collections.abc import Iterator
from itertools import chain

import pytest

from lab.world.story import history, master_data
from tests.ground import Ground
from tests.scenario.stage import Stage, open_stage


@pytest.fixture(scope="module")
def bare_stage(platform: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Five services and nothing told yet."""
    with open_stage(platform, tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture(scope="module")
def stage(bare_stage: Stage) -> Stage:
    """Five services that know the tiny world up to its today."""
    bare_stage.tell(chain(master_data(bare_stage.world), history(bare_stage.world)))
    bare_stage.settle()
    return bare_stage
