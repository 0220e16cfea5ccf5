"""Files of the batch commands with some of their bytes spoilt: read, or refused in words; never a traceback."""

import contextlib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.forecaster.offline_reading import FileRefused, batches, columns_of, series_of
from services.policy import offline_files
from tests.examples import examples

COLUMNS = ("unique_id", "ds", "y")
spoils = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.fixture(scope="module", params=["parquet", "csv"])
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spoilt") / f"history.{request.param}"
    days = pd.date_range("2024-01-01", periods=300)
    frame = pd.DataFrame(
        {"unique_id": [f"item-{n % 7}" for n in range(300)], "ds": days, "y": [n / 4 for n in range(300)]}
    )
    frame.to_parquet(path) if request.param == "parquet" else frame.to_csv(path, index=False)
    return path


@settings(max_examples=examples(80), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(spoils, st.none() | st.floats(0, 1))
def test_no_bytes_do_more_than_be_refused(good: Path, changes: list[tuple[float, int]], cut: float | None) -> None:
    content = bytearray(good.read_bytes())
    for place, byte in changes:
        content[int(place * len(content))] = byte
    spoilt = good.with_stem("spoilt")
    spoilt.write_bytes(content if cut is None else content[: int(cut * len(content))])
    with contextlib.suppress(FileRefused):
        if set(COLUMNS) <= set(columns_of(spoilt)):
            series_of(spoilt)
            assert all(batch.num_columns == len(COLUMNS) for batch in batches(spoilt, COLUMNS))
    with contextlib.suppress(offline_files.FileRefused):
        assert all(isinstance(name, str) for name in offline_files.table_of(spoilt).column_names)
