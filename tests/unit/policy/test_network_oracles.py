"""Multi-echelon, finite horizon, disruption, buffers and product rules against published examples."""

from math import sqrt

import pytest

from services.policy.domain.formulas import (
    buffers,
    finite_horizon,
    guaranteed_service,
    reorder_rules,
    serial_echelons,
    supply_disruption,
)
from services.policy.domain.formulas.forecast_netting import net_forecast
from services.policy.domain.formulas.guaranteed_service import Stage
from services.policy.domain.refusal import PolicyRefusal

EXAMPLE_6_1 = (serial_echelons.Stage(3, 1), serial_echelons.Stage(2, 1), serial_echelons.Stage(2, 2))


def quarters(*costs: float) -> tuple[serial_echelons.Stage, ...]:
    return tuple(serial_echelons.Stage(cost, 0.25) for cost in costs)


def test_stockpyl_finite_horizon_myopic_bounds() -> None:
    period = finite_horizon.Period(1, 20, 2, 50, 100, 20)
    found = finite_horizon.myopic_bounds([period] * 5, terminal_holding_cost=1, terminal_stockout_cost=20)
    printed = {
        "level_low": [133.36782388] * 4 + [126.18343434],
        "level_high": [191.66022943] * 4 + [126.18343434],
        "point_low": [110.26036849] * 4 + [111.66574177],
        "point_high": [133.36782388] * 4 + [111.66574177],
    }
    for name, values in printed.items():
        assert [getattr(one, name) for one in found] == pytest.approx(values, rel=0, abs=5e-9), name


def test_snyder_shen_example_9_1_lot_with_disruptions() -> None:
    terms = {
        "setup_cost": 8,
        "holding_cost": 0.225,
        "stockout_cost": 5,
        "demand_units": 1300,
        "disruption_rate": 1.5,
        "recovery_rate": 14,
    }
    quantity, cost = supply_disruption.lot_with_disruptions(**terms)
    # A search printed where it stopped, two millionths from the lowest point; the cost there is the same to its last place.
    assert quantity == pytest.approx(772.811063191, rel=1e-8)
    assert cost == pytest.approx(173.9500025732, abs=5e-11)
    assert supply_disruption.lot_cost_with_disruptions(700, **terms) == pytest.approx(174.78711738886236, rel=1e-12)


def test_snyder_shen_example_9_3_base_stock_with_disruptions() -> None:
    found = supply_disruption.base_stock_with_disruptions(
        holding_cost=0.25, stockout_cost=3, demand_units=2000, disruption_chance=0.04, recovery_chance=0.25
    )
    assert found[0] == 8000
    assert found[1] == pytest.approx(2737.0689302470355, rel=1e-7)


def test_snyder_shen_example_6_1_clark_scarf() -> None:
    """The printed optimum depends on the grid it was found with; both printed grids lie within a tenth of a unit."""
    levels, cost = serial_echelons.clark_scarf(serial_echelons.Chain(EXAMPLE_6_1, 37.12, 5, 1))
    assert levels == pytest.approx([6.5144388, 12.0123323, 22.7002372], abs=0.1)
    assert cost == pytest.approx(47.668653127, abs=0.1)


def test_snyder_shen_example_6_1_shang_song() -> None:
    levels = serial_echelons.shang_song(serial_echelons.Chain(EXAMPLE_6_1, 37.12, 5, 1))
    assert levels == pytest.approx([6.490880975286938, 12.027434723327854, 22.634032391786285], rel=1e-9)


def test_snyder_shen_example_6_1_with_poisson_demand() -> None:
    levels, cost = serial_echelons.clark_scarf(serial_echelons.Chain(EXAMPLE_6_1, 37.12, 5))
    assert levels == [9, 15, 26]
    # The library cuts demand off at four standard deviations; uncut, its own grid moves the cost by a few hundredths.
    assert cost == pytest.approx(72.0435433050749, abs=0.05)


@pytest.mark.parametrize(
    ("costs", "levels", "cost"),
    [((0.25, 0.25, 0.25, 0.25), [8, 13, 18, 22], 12.688), ((0.25, 2.5, 2.5, 0.25), [9, 10, 13, 19], 53.008)],
    ids=["instance_1", "instance_9"],
)
def test_shang_song_2003_instances(costs: tuple[float, ...], levels: list[float], cost: float) -> None:
    chain = serial_echelons.Chain(quarters(*costs), 9, 16)
    found_levels, found_cost = serial_echelons.clark_scarf(chain)
    assert found_levels == levels
    assert found_cost == pytest.approx(cost, abs=5e-4)


EXAMPLE_6_5 = (
    Stage("1", 1, 2, inbound=1),
    Stage("3", 2, 1, ("1",)),
    Stage("2", 3, 1, ("3",), 1.0, promise_max=0),
    Stage("4", 3, 1, ("3",), 1.0, promise_max=1),
)
Z95 = 1.6448536269514722
FIGURE_6_14 = (
    Stage("raw", 0.01, 2, bound=Z95),
    Stage("wafers", 0.03, 3, ("raw",), bound=Z95),
    Stage("package", 0.04, 2, ("wafers",), bound=Z95),
    Stage("base", 0.06, 4, bound=Z95),
    Stage("imager", 0.12, 2, ("package", "base"), bound=Z95),
    Stage("ship", 0.13, 3, ("imager",), bound=Z95),
    Stage("camera", 0.2, 6, bound=Z95),
    Stage("board", 0.08, 4, bound=Z95),
    Stage("parts", 0.04, 3, bound=Z95),
    Stage("build", 0.5, 2, ("camera", "ship", "board", "parts"), 10.0, promise_max=2, bound=Z95),
)
PROBLEM_6_7 = (
    Stage("1", 4, 2, ("2",), 10.0, promise_max=0, bound=4),
    Stage("2", 3, 1, ("3",), bound=4),
    Stage("3", 2, 1, inbound=1, bound=4),
)
SERIAL_6_8 = (
    (5.73, 5),
    (4.56, 10),
    (3.04, 2),
    (2.93, 15),
    (2.47, 8),
    (2.37, 5),
    (1.15, 9),
    (1.1, 5),
    (0.98, 1),
    (0.87, 5),
)
PROBLEM_6_8 = tuple(
    Stage(
        str(place),
        cost,
        periods,
        (str(place + 1),) if place < 10 else (),
        15.8 if place == 1 else 0.0,
        promise_max=3 if place == 1 else None,
        inbound=7 if place == 10 else 0,
        bound=2.0537489106318225,
    )
    for place, (cost, periods) in enumerate(SERIAL_6_8, start=1)
)
PROBLEM_6_9 = (
    Stage("1", 44 / 365, 7, ("3",), 4.1, promise_max=3, bound=4),
    Stage("2", 28 / 365, 7, ("3",), 6.2, promise_max=3, bound=4),
    Stage("3", 18 / 365, 21, ("4", "5"), bound=4),
    Stage("4", 1 / 365, 3, bound=4),
    Stage("5", 4 / 365, 8, ("6",), bound=4),
    Stage("6", 1.5 / 365, 2, bound=4),
)


@pytest.mark.parametrize(
    ("stages", "cost", "places", "printed"),
    [
        (EXAMPLE_6_5, 2 * sqrt(2) + sqrt(6) + 3, 1e-12, {"1": 0, "2": 0, "3": 0, "4": 1}),
        (FIGURE_6_14, 18.8240044725922, 1e-11, None),
        (PROBLEM_6_7, 160 * sqrt(5), 1e-12, {"1": 0, "2": 3, "3": 2}),
        # Printed to one place, from a rounded normal quantile; the printed service times are its optimum.
        (
            PROBLEM_6_8,
            1378.31,
            1e-5,
            {str(place): time for place, time in enumerate((3, 10, 0, 28, 13, 5, 0, 18, 13, 12), start=1)},
        ),
        (PROBLEM_6_9, 15.649530249501, 1e-11, None),
    ],
    ids=["example_6_5", "figure_6_14", "problem_6_7", "problem_6_8", "problem_6_9"],
)
def test_snyder_shen_guaranteed_service(
    stages: tuple[Stage, ...], cost: float, places: float, printed: dict[str, int] | None
) -> None:
    promises, found = guaranteed_service.service_times(stages)
    assert found == pytest.approx(cost, rel=places)
    assert guaranteed_service.cost_of(stages, promises) == pytest.approx(found, rel=1e-12)
    if printed is not None:
        assert guaranteed_service.cost_of(stages, printed) == pytest.approx(found, rel=1e-12)


def test_demand_driven_buffer_zones_by_hand() -> None:
    """10 a day, 12 days, factors 0.5 and 0.4: yellow 120, red 60 + 24, green max(60, 7 x 10, 50)."""
    zones = buffers.buffer_zones(
        daily_usage_units=10,
        lead_time_days=12,
        lead_time_factor=0.5,
        variability_factor=0.4,
        order_cycle_days=7,
        minimum_order_units=50,
    )
    assert (zones.red, zones.yellow, zones.green) == (84, 120, 70)
    position = buffers.net_flow_position(90, 100, 0)
    assert buffers.buffer_order(zones, position) == 84
    assert buffers.buffer_order(zones, 204) == 70
    assert buffers.buffer_order(zones, 204.5) == 0


@pytest.mark.parametrize(
    ("position", "minimum", "maximum", "multiple", "order"),
    [(10, 10.5, 40, 1, 30), (10, 11, 40, 6, 30), (9, 10, 40, 6, 36), (10, 10, 40, 6, 0), (102, 113, 139, 1, 37)],
    ids=["odoo", "odoo_whole_multiples", "odoo_rounded_up", "at_the_minimum", "netstock"],
)
def test_min_max_rules_of_other_products(
    position: float, minimum: float, maximum: float, multiple: float, order: float
) -> None:
    found = reorder_rules.min_max_order(
        position_units=position, minimum_units=minimum, maximum_units=maximum, multiple=multiple
    )
    assert found == order


def test_days_of_supply_point_of_a_published_exercise() -> None:
    assert reorder_rules.days_of_supply_point(daily_units=5000, lead_time_days=7) == 35_000
    assert reorder_rules.days_of_supply_point(daily_units=5000, lead_time_days=7, safety_days=2) == 45_000


def test_aws_supply_chain_quantiles_between_the_published_ones() -> None:
    levels, units = (0.1, 0.5, 0.9), (10.0, 50.0, 120.0)
    assert reorder_rules.quantile_between(levels, units, 0.4) == pytest.approx(40)
    assert reorder_rules.quantile_between(levels, units, 0.75) == pytest.approx(93.75)


@pytest.mark.parametrize(
    "stages",
    [
        (Stage("a", 1, 1, ("b",)), Stage("b", 1, 1, ("a",))),
        (Stage("a", 1, 1), Stage("b", 1, 1)),
        (Stage("a", 1, 1, ("x",)),),
        (Stage("a", 1, 1), Stage("b", 1, 1, ("a",)), Stage("c", 1, 1, ("a",)), Stage("d", 1, 1, ("b", "c"))),
        (),
    ],
    ids=["circle", "two_parts", "unknown_supplier", "two_ways", "empty"],
)
def test_what_is_no_tree_is_refused(stages: tuple[Stage, ...]) -> None:
    with pytest.raises(PolicyRefusal, match="tree_invalid"):
        guaranteed_service.service_times(stages)


NETTING = [
    ("round table", (350, 350, 350), (130, 100, 80), 0, [220, 250, 270]),
    ("square table", (350, 350, 350, 350), (300, 500, 280, 0), 0, [50, 0, 70, 350]),
    ("square table, a month early or late", (350, 350, 350, 350), (300, 500, 280, 0), 1, [0, 0, 0, 320]),
]


@pytest.mark.parametrize(
    ("gross", "orders", "window", "net"), [one[1:] for one in NETTING], ids=[one[0] for one in NETTING]
)
def test_frepple_forecast_netting(
    gross: tuple[float, ...], orders: tuple[float, ...], window: int, net: list[float]
) -> None:
    assert net_forecast(gross, orders, early_periods=window, late_periods=window) == net
