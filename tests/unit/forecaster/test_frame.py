"""A frame filled in portions is the frame built in one piece, and takes little more memory than itself."""

import tracemalloc
from datetime import date, timedelta

import numpy as np

from services.forecaster.domain.frame import Cells, FrameBuilder, ItemRecord, Records, build

FIRST = date(2022, 1, 3)
EPOCH = date(1970, 1, 1)


def records(items: int, days: int, seed: int = 1, *, counted: bool = True) -> Records:
    """Items at two shops over some days: sales, a holiday of one shop, two typing errors, counts that find nothing."""
    generator = np.random.default_rng(seed)
    demand = generator.poisson(2.0, (items, days)).astype(np.float64)
    demand[: items // 2, days // 2] = 0.0
    demand[1, days // 3] = 50_000.0
    demand[items - 1, days - 3] = -4.0
    known = tuple(
        ItemRecord(f"s{row:05}", "L1" if row < items // 2 else "L2", 0, "food", FIRST + timedelta(days=row % 9),
                   FIRST + timedelta(days=days - 1 - row % 3))
        for row in range(items)
    )  # fmt: skip
    row, column = np.nonzero(demand)
    sold = Cells(row, column + (FIRST - EPOCH).days, demand[row, column])
    empty = Cells.empty()
    counts = Cells(np.arange(0, items, 5), np.full(len(range(0, items, 5)), days // 4 + (FIRST - EPOCH).days),
                   np.full(len(range(0, items, 5)), 30.0)) if counted else empty  # fmt: skip
    opening = np.ones(len(counts.item), dtype=np.bool_)
    return Records(known, sold, sold, empty, counts, opening, generator.integers(0, 3, items))


def portion(whole: Records, start: int, end: int) -> Records:
    def cut(cells: Cells) -> Cells:
        inside = (cells.item >= start) & (cells.item < end)
        return Cells(cells.item[inside] - start, cells.day[inside], cells.value[inside])

    inside = (whole.counted.item >= start) & (whole.counted.item < end)
    cells = (cut(whole.demand), cut(whole.left), cut(whole.net), cut(whole.counted))
    return Records(whole.items[start:end], *cells, whole.counted_at_opening[inside], whole.revision[start:end])


def test_portions_give_the_same_frame_as_one_piece() -> None:
    whole = records(60, 300)
    expected = build(whole, history_days=180)
    builder = FrameBuilder(whole.items, history_days=180)
    for start in (40, 0, 20):  # whatever their order
        builder.add(portion(whole, start, start + 20))
    found = builder.frame()
    assert expected is not None and expected.censored.any() and expected.spike_days is not None
    assert expected.spike_days.sum() == 0  # it lies before the window
    np.testing.assert_array_equal(found.panel.demand, expected.panel.demand)
    for name in ("origin", "censored", "negative_days", "revision", "spike_days"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.panel.first_day == expected.panel.first_day and found.panel.item_ids == expected.panel.item_ids
    longer = build(whole, history_days=300)
    assert longer is not None and longer.spike_days is not None and longer.spike_days[1] == 1
    assert np.isnan(longer.panel.demand[:30, 150]).all() and not np.isnan(longer.panel.demand[30:, 150]).all()


def test_a_frame_in_portions_takes_little_more_memory_than_itself() -> None:
    items, days = 6_000, 400
    whole = records(items, days, counted=False)
    parts = [portion(whole, start, start + 200) for start in range(0, items, 200)]

    def peak_over_panel(feed: list[Records]) -> float:
        tracemalloc.start()
        builder = FrameBuilder(whole.items, history_days=days)
        for one in feed:
            builder.add(one)
        builder.frame()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / (items * days * 8)

    assert peak_over_panel([whole]) > 4.0
    assert peak_over_panel(parts) < 4.0 - 0.5
