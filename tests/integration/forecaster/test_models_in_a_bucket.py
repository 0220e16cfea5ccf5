"""Models on a shelf that speaks the S3 API: whole or not at all, precise about what is wrong, there after an outage."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.pipeline import train
from services.forecaster.model.shelf import ArtefactDamaged, ArtefactUnreachable, Bucket
from tests.integration.forecaster.bucket import READER, ObjectStore, object_store
from tests.unit.forecaster.worlds import retail

CONTENT = b"a model"
NAME = f"{hashlib.sha256(CONTENT).hexdigest()}.txt"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("objects")) as store:
        yield store


def test_a_model_saved_on_one_machine_speaks_on_another(objects: ObjectStore, tmp_path: Path) -> None:
    world, _ = retail(60, 240)
    trained = train(world, GradientBoosting(rounds=5))
    here, there = (ArtefactStore(objects.place(tmp_path / name).open()) for name in ("here", "there"))
    name = here.save(trained, window_from="a", window_to="b", items=60, seed=1)
    assert here.save(trained, window_from="a", window_to="b", items=60, seed=1) == name  # twice is once
    loaded, manifest = there.load(name)
    np.testing.assert_array_equal(loaded.forecast(world, 239).quantiles, trained.forecast(world, 239).quantiles)
    shelf = objects.place(tmp_path / "nobody").open()
    for object_name in (f"{name}.json", f"{manifest.model_sha256}.txt"):
        assert hashlib.sha256(shelf.read(object_name)).hexdigest() == object_name.partition(".")[0]


def test_a_damaged_object_is_refused_and_a_damaged_copy_is_fetched_again(objects: ObjectStore, tmp_path: Path) -> None:
    shelf = objects.place(tmp_path).open()
    assert isinstance(shelf, Bucket)
    shelf.write(NAME, CONTENT)
    (tmp_path / NAME).write_bytes(b"half a mod")
    assert shelf.read(NAME) == CONTENT and (tmp_path / NAME).read_bytes() == CONTENT
    shelf.store.put(NAME, b"half a mod")
    (tmp_path / NAME).unlink()
    with pytest.raises(ArtefactDamaged, match=rf"^s3://models/countersign/{NAME} does not have the SHA-256"):
        shelf.read(NAME)
    assert not (tmp_path / NAME).exists()
    shelf.write(NAME, CONTENT)  # training again heals it
    assert shelf.read(NAME) == CONTENT


def test_what_is_missing_or_refused_is_said_in_the_words_of_the_store(objects: ObjectStore, tmp_path: Path) -> None:
    missing = f"{'0' * 64}.json"
    with pytest.raises(FileNotFoundError, match=rf"{missing} does not exist \(NoSuchKey.*restore it or train again"):
        objects.place(tmp_path).open().read(missing)
    wrong = objects.place(tmp_path, ("writer", "not the secret")).open()
    with pytest.raises(ArtefactUnreachable, match=r"SignatureDoesNotMatch.*COUNTERSIGN_ARTEFACTS_ACCESS_KEY"):
        wrong.read(missing)
    with pytest.raises(ArtefactUnreachable, match=r"AccessDenied.*what they may do in this bucket"):
        objects.place(tmp_path, READER).open().write(NAME, CONTENT)


def test_an_outage_is_told_apart_from_a_loss_and_a_write_is_made_again(objects: ObjectStore, tmp_path: Path) -> None:
    near, far = (objects.place(tmp_path / name).open() for name in ("near", "far"))
    near.write(NAME, CONTENT)
    other = b"another model"
    name = f"{hashlib.sha256(other).hexdigest()}.txt"
    objects.stop()
    try:
        assert near.read(NAME) == CONTENT  # a model that spoke yesterday speaks on
        with pytest.raises(ArtefactUnreachable, match=r"could not be reached.*COUNTERSIGN_ARTEFACTS_ENDPOINT"):
            far.read(NAME)
        with pytest.raises(ArtefactUnreachable, match="could not be reached"):
            near.write(name, other)
    finally:
        objects.start()
    near.write(name, other)
    assert far.read(NAME) == CONTENT and far.read(name) == other
