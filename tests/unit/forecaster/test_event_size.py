"""A forecast event stays under a kilobyte, because a retailer's night is a hundred thousand of them."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import orjson
import pytest

from kernel.distribution import DemandTable
from lab.world.build import build as build_world
from lab.world.shape import FULL
from schemas.forecasts import ForecastIssuedV2
from services.forecaster.domain.cleaning import clean
from services.forecaster.domain.frame import Cells, Frame, ItemRecord, Records, build
from services.forecaster.domain.panel import DemandPanel, Holiday, ToldClosure
from services.forecaster.issuing import Issued, Speaker, Task, as_the_model_says, issue
from services.forecaster.model.pipeline import baseline
from services.forecaster.model.voices import Spoken
from tests.unit.forecaster.worlds import panel, retail


def written(world: DemandPanel, skus: Sequence[str], locations: Sequence[str]) -> list[Issued]:
    """Events of every item of a frame from its last day, spoken by the calibrated baseline under a model's name."""
    rows = np.arange(len(skus))
    last, zeros = world.days - 1, np.zeros(len(skus), dtype=np.int64)
    items = tuple(
        ItemRecord(sku, place, 0, None, world.first_day, world.last_day)
        for sku, place in zip(skus, locations, strict=True)
    )
    frame = Frame(items, world, zeros + last, np.zeros(world.demand.shape, dtype=np.bool_), zeros, zeros)
    calibrated = baseline(world, last)
    said = calibrated.forecast(world, last)
    task = Task(rows, last, "close-of-day", datetime(2024, 1, 1, tzinfo=UTC))
    speaker = Speaker(calibrated, "lgbm-0123456789abcdef")
    spoken = Spoken(said, (speaker.strategy,) * len(skus), (False,) * len(skus))
    return issue("demo", frame, task, speaker, spoken, as_the_model_says(said, last, rows))


@pytest.mark.slow
def test_an_event_of_the_demos_items_takes_six_hundred_bytes() -> None:
    """The demo is 3,200 real items of 24 stores; the average was 952 bytes while numbers were written in digits."""
    made = build_world(FULL)
    demand = np.zeros((len(made.items), FULL.history_days))
    past = made.sales[made.sales["day"] < FULL.history_days]
    np.add.at(demand, (past["item"].to_numpy(), past["day"].to_numpy()), past["quantity"].to_numpy())
    some = np.arange(0, len(demand), 8)
    world = clean(panel(demand[some])).panel
    issued = written(world, [made.skus[row] for row in some], made.items["location"].astype(str).iloc[some].tolist())
    sizes = np.array([len(one.outgoing.value) for one in issued])
    assert sizes.mean() < 600 and sizes.max() < 700
    whole = [exponent_of(one) for one in issued]
    assert not any(whole)  # nothing is rounded: the numbers are those that were written before


def exponent_of(one: Issued) -> int:
    return b64decode(orjson.loads(one.outgoing.value)["demand"])[0]


@pytest.mark.parametrize("units_a_day", [40, 500, 6_000, 80_000, 2_000_000])
def test_an_event_of_a_fast_seller_is_under_a_kilobyte_and_says_nearly_the_same(units_a_day: int) -> None:
    """Long codes, a weekday profile, lumpy demand: 1.4 kB in digits. Rounding is a tenth of a percent at most."""
    _, mean = retail(48, 180, seed=2)
    mean = mean / mean.mean() * units_a_day
    generator = np.random.default_rng(units_a_day)
    demand = generator.poisson(mean * generator.gamma(2.0, 0.5, mean.shape)).astype(np.float64)
    world = panel(demand)
    codes = [f"0401234500{row:04}" for row in range(48)]
    issued = written(world, codes, ["distribution-centre-north-0042"] * 48)
    assert max(len(one.outgoing.value) for one in issued) < 1_000
    said = baseline(world, 179).forecast(world, 179)
    for row, one in enumerate(issued):
        assert ForecastIssuedV2.model_validate_json(one.outgoing.value) == one.message
        read = DemandTable.from_event([one.message.demand.mean_e4], [one.message.demand.quantiles_e2])
        np.testing.assert_allclose(read.nodes[0, 1:, 1:-1], said.quantiles[row], rtol=1e-3, atol=0.01)
        np.testing.assert_allclose(np.diff(read.mean_cumulative[0]), said.by_day[row], rtol=1e-3, atol=1e-4)


def test_what_an_event_leaves_out_is_read_back_as_its_default() -> None:
    generator = np.random.default_rng(1)
    world = panel(generator.poisson(0.1, (30, 200)).astype(np.float64))
    for one in written(world, [f"{1000000 + row}" for row in range(30)], ["286"] * 30):
        assert ForecastIssuedV2.model_validate_json(one.outgoing.value) == one.message
        absent = set(ForecastIssuedV2.model_fields) - set(orjson.loads(one.outgoing.value))
        assert {"window_from", "window_to", "revision", "override_ids"} <= absent
        assert b".0000" not in one.outgoing.value


def test_an_item_that_fell_silent_or_sells_on_another_level_says_so_in_its_event() -> None:
    generator = np.random.default_rng(3)
    demand = generator.poisson(4.0, (20, 200)).astype(np.float64)
    demand[5, 188:] = 0.0
    demand[9, 186:] *= 4.0
    issued = written(panel(demand), [f"{row}" for row in range(20)], ["286"] * 20)
    told = {one.message.sku: one.message.flags for one in issued if one.message.flags}
    assert told == {"5": ("silence",), "9": ("level_shift",)}


def test_an_impossible_day_is_kept_out_of_the_services_frame_and_named_in_the_event() -> None:
    generator = np.random.default_rng(2)
    demand = generator.poisson(1.0, (12, 120)).astype(np.float64)
    demand[3, 100] = 90_000
    items = tuple(
        ItemRecord(f"sku-{row:02d}", "286", 0, None, date(2024, 1, 1), date(2024, 4, 29)) for row in range(12)
    )
    number, column = np.nonzero(demand)
    epoch = (date(2024, 1, 1) - date(1970, 1, 1)).days
    sold = Cells(number, column + epoch, demand[number, column])
    none = Cells.empty()
    zeros = np.zeros(12, dtype=np.int64)
    frame = build(Records(items, sold, sold, none, none, np.zeros(0, dtype=np.bool_), zeros), history_days=756)
    assert frame is not None
    assert np.isnan(frame.panel.demand[3, 100]) and np.isnan(frame.panel.demand[:, 60:]).sum() == 1
    calibrated = baseline(frame.panel, 119)
    rows = np.arange(12)
    said = calibrated.forecast(frame.panel, 119)
    task = Task(rows, 119, "close-of-day", datetime(2024, 4, 30, tzinfo=UTC))
    changed = as_the_model_says(said, 119, rows)
    spoken = Spoken(said, ("seasonal_mean",) * 12, (False,) * 12)
    issued = issue("acme", frame, task, Speaker(None, "baseline", "no_trained_model"), spoken, changed)
    assert ["spike" in one.message.flags for one in issued] == [row == 3 for row in range(12)]
    assert not any("calendar_gap" in one.message.flags for one in issued)


def test_a_day_on_which_a_whole_location_sent_nothing_is_named_unless_a_calendar_or_somebody_explains_it() -> None:
    demand = np.random.default_rng(2).poisson(3.0, (40, 120)).astype(np.float64)
    demand[:20, 119] = 0.0  # location 286; 287 sold as ever
    first, last = date(2024, 1, 1), date(2024, 4, 29)
    items = tuple(ItemRecord(f"sku-{row:02d}", "286" if row < 20 else "287", 0, None, first, last) for row in range(40))
    number, column = np.nonzero(demand)
    sold = Cells(number, column + (first - date(1970, 1, 1)).days, demand[number, column])
    none, zeros = Cells.empty(), np.zeros(40, dtype=np.int64)
    frame = build(Records(items, sold, sold, none, none, np.zeros(0, dtype=np.bool_), zeros), history_days=100)
    assert frame is not None and frame.panel.day(99) == last
    shut = replace(frame, panel=replace(frame.panel, told_closures={0: (ToldClosure(98, 99, 90),)}))
    feast = replace(frame, panel=replace(frame.panel, holidays={0: (Holiday(99, frozenset({"Feast"}), None),)}))
    for known, says in ((frame, True), (shut, False), (feast, False)):
        said = baseline(known.panel, 99).forecast(known.panel, 99)
        spoken = Spoken(said, ("seasonal_mean",) * 40, (False,) * 40)
        task = Task(np.arange(40), 99, "close-of-day", datetime(2024, 4, 30, tzinfo=UTC))
        changed = as_the_model_says(said, 99, task.rows)
        issued = issue("acme", known, task, Speaker(None, "baseline", "no_trained_model"), spoken, changed)
        assert ["calendar_gap" in one.message.flags for one in issued] == [says] * 20 + [False] * 20
    assert not frame.has_gap(0, 98)
