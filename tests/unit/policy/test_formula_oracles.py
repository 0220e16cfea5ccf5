"""Every closed form and exact algorithm against published examples (Snyder & Shen through stockpyl's test suite, MIT)."""

from math import sqrt

import pytest

from services.policy.domain.formulas import continuous_review as rq
from services.policy.domain.formulas import dynamic_lot, joint_replenishment, lot_size, newsvendor, periodic_review
from services.policy.domain.formulas.loss import negative_binomial_loss, poisson_loss, standard_normal_loss
from services.policy.domain.refusal import PolicyRefusal


def close(expected: float, places: float = 1e-9) -> object:
    return pytest.approx(expected, rel=places, abs=places)


def test_snyder_shen_example_3_1_economic_order_quantity() -> None:
    lot = lot_size.economic_order_quantity(setup_cost=8, holding_cost=0.225, demand_units=1300)
    assert lot.quantity_units == close(304.0467800264368)
    assert lot.cost_per_period == close(68.410525505948272)
    assert lot_size.lot_cost(250, 8, 0.225, 1300) == close(69.725)


def test_snyder_shen_problem_3_1_economic_order_quantity() -> None:
    lot = lot_size.economic_order_quantity(setup_cost=2250, holding_cost=275, demand_units=182500)
    assert (lot.quantity_units, lot.cost_per_period) == (close(1728.109844993551), close(475230.2073732266))


def test_snyder_shen_example_3_6_all_units_discount() -> None:
    lot = lot_size.all_units_discount_lot(
        setup_cost=8,
        carrying_rate=0.3,
        demand_units=1300,
        breakpoints_units=[0, 400, 800],
        unit_costs=[0.75, 0.72, 0.68],
    )
    assert (lot.quantity_units, lot.price_index, lot.cost_per_period) == (800, 2, close(978.60))


@pytest.mark.parametrize(
    ("setup", "rate", "demand", "breaks", "costs", "quantity", "index", "cost"),
    [
        (8, 0.3, 1300, [0, 400, 800], [0.75, 0.72, 0.68], 304.0467800264368, 0, 1043.41052551),
        (150, 0.25, 2400, [0, 300, 600], [100, 90, 80], 1481.8906842274164, 2, 222762.8136845483),
    ],
    ids=["snyder_shen_example_3_7", "stockpyl_docstring"],
)
def test_incremental_discount(
    setup: float,
    rate: float,
    demand: float,
    breaks: list[float],
    costs: list[float],
    quantity: float,
    index: int,
    cost: float,
) -> None:
    lot = lot_size.incremental_discount_lot(
        setup_cost=setup, carrying_rate=rate, demand_units=demand, breakpoints_units=breaks, unit_costs=costs
    )
    assert (lot.quantity_units, lot.price_index, lot.cost_per_period) == (close(quantity), index, close(cost))


def test_snyder_shen_example_3_8_lot_with_backorders() -> None:
    lot = lot_size.lot_with_backorders(setup_cost=8, holding_cost=0.225, backorder_cost=5, demand_units=1300)
    assert lot.quantity_units == close(310.8125551589646)
    assert lot.backordered_share == close(0.043062200956938)
    assert lot.cost_per_period == close(66.921363550973254)


def test_stockpyl_economic_production_quantity() -> None:
    lot = lot_size.production_lot(setup_cost=8, holding_cost=0.225, demand_units=1300, production_rate_units=2000)
    assert (lot.quantity_units, lot.cost_per_period) == (close(513.9328595516969), close(40.47221268969612))


@pytest.mark.parametrize(
    ("major", "minor", "holding", "demand", "cycle", "multiples", "cost"),
    [
        (600, [120, 840, 300], [160, 20, 50], [1, 1, 1], 3.103164454170876, [1, 3, 1], 837.8544026261366),
        (
            10,
            [1.87, 5.27, 7.94, 8.19, 8.87],
            [0.2] * 5,
            [1736, 656, 558, 170, 142],
            0.2813771490671472,
            [1, 1, 1, 3, 3],
            218.68632025498687,
        ),
        (40, [15] * 4, [0.24] * 4, [86000, 12500, 1400, 3000], 0.07617340262784976, [1, 1, 4, 3], 2067.650840930354),
    ],
    ids=["snyder_shen", "silver_1976", "silver_pyke_peterson_1998"],
)
def test_joint_replenishment(
    major: float,
    minor: list[float],
    holding: list[float],
    demand: list[float],
    cycle: float,
    multiples: list[int],
    cost: float,
) -> None:
    found = joint_replenishment.joint_replenishment(
        major_setup_cost=major, minor_setup_costs=minor, holding_costs=holding, demand_units=demand
    )
    assert found == (close(cycle), multiples, close(cost))


@pytest.mark.parametrize(
    ("demand", "setup", "holding", "unit_costs", "orders", "cost"),
    [
        ([90, 120, 80, 70], 500, 2, None, [210, 0, 150, 0], 1380),
        ([150, 100, 80, 200], 120, 0.8, None, [150, 180, 0, 200], 424),
        ([730, 580, 445, 650, 880], 100, 0.1, None, [1310, 0, 1095, 0, 880], 423),
        ([400, 500, 500, 1100, 900], 100, 0.1, [3, 1, 4, 6, 6], [400, 3000, 0, 0, 0], 4940),
    ],
    ids=["snyder_shen_example_3_9", "snyder_shen_problem_3_27", "snyder_shen_problem_3_29", "price_changes"],
)
def test_wagner_whitin(
    demand: list[float],
    setup: float,
    holding: float,
    unit_costs: list[float] | None,
    orders: list[float],
    cost: float,
) -> None:
    periods = len(demand)
    found = dynamic_lot.wagner_whitin(
        demand, setup_costs=[setup] * periods, holding_costs=[holding] * periods, unit_costs=unit_costs
    )
    assert found == (orders, close(cost))


def test_snyder_shen_example_4_3_newsvendor_normal() -> None:
    level, cost = newsvendor.newsvendor_normal(holding_cost=0.18, stockout_cost=0.70, mean_units=50, sd_units=8)
    assert (level, cost) == (close(56.603955927433887), close(1.997605193176645))
    assert newsvendor.newsvendor_normal_cost(40, 0.18, 0.70, 50, 8) == close(7.356131552870388)


def test_snyder_shen_example_4_4_base_stock_over_lead_time_and_review() -> None:
    found = newsvendor.newsvendor_normal(holding_cost=0.18, stockout_cost=0.70, mean_units=50, sd_units=8, periods=5)
    assert found == (close(264.7668943741548), close(4.466781004149578))


def test_snyder_shen_example_4_2_newsvendor_profit() -> None:
    found = newsvendor.newsvendor_normal_profit(price=1, unit_cost=0.3, salvage_value=0.12, mean_units=50, sd_units=8)
    assert found == (close(56.603955927433887), close(33.002394806823354))


def test_snyder_shen_example_4_7_newsvendor_poisson() -> None:
    assert newsvendor.newsvendor_poisson(holding_cost=1, stockout_cost=4, mean_units=6) == (8, close(3.570106945770946))
    assert newsvendor.newsvendor_poisson_cost(5, 1, 4, 6) == close(6.590296024616344)


def test_snyder_shen_problem_4_7b_newsvendor_discrete() -> None:
    masses = dict(enumerate([0.25, 0.05, 0.1, 0.2, 0.15, 0.1, 0.1, 0.05], start=1))
    assert newsvendor.newsvendor_discrete(holding_cost=5e5, stockout_cost=1e6, masses=masses) == (5, close(1225000))


def test_snyder_shen_problem_4_8b_newsvendor_lognormal() -> None:
    found = newsvendor.newsvendor_lognormal(holding_cost=1, stockout_cost=0.1765, log_mean=6, log_sd=0.3)
    assert found == (close(295.6266448071368), close(29.44254358213529))


def test_snyder_shen_example_4_7_s_s_exact() -> None:
    found = periodic_review.exact_poisson(holding_cost=1, stockout_cost=4, setup_cost=5, mean_units=6)
    assert found == (4, 10, close(8.034111561471644))


def test_snyder_shen_problem_4_31_s_s_exact() -> None:
    found = periodic_review.exact_poisson(holding_cost=40, stockout_cost=125, setup_cost=150, mean_units=4)
    assert found == (2, 7, close(223.5748295669688))


@pytest.mark.parametrize(
    ("mean", "low", "high", "cost"),
    list(
        zip(
            [*range(10, 80, 5), 21, 22, 23, 24, 51, 52, 59, 61, 63, 64],
            [6, 10, 14, 19, 23, 28, 33, 37, 42, 47, 52, 56, 62, 67, 15, 16, 17, 18, 43, 44, 51, 52, 54, 55],
            [40, 49, 62, 56, 66, 77, 87, 97, 108, 118, 129, 75, 81, 86, 65, 68, 52, 54, 110, 112, 126, 131, 73, 74],
            [35.022, 42.698, 49.173, 54.262, 57.819, 61.215, 64.512, 67.776, 70.975, 74.149, 77.306, 78.518, 79.037]
            + [79.554, 50.406, 51.632, 52.757, 53.518, 71.611, 72.246, 76.679, 77.929, 78.287, 78.402],
            strict=True,
        )
    ),
)
def test_federgruen_zheng_1991_s_s_exact(mean: float, low: int, high: int, cost: float) -> None:
    found = periodic_review.exact_poisson(holding_cost=1, stockout_cost=9, setup_cost=64, mean_units=mean)
    assert (found[0], found[1], round(found[2], 3)) == (low, high, cost)


@pytest.mark.parametrize(
    ("holding", "stockout", "setup", "mean", "spread", "low", "high"),
    [
        (0.18, 0.70, 2.5, 50, 8, 40.194616956474071, 74.290170109805786),
        (2, 36, 60, 190, 48, 226.6137928222839, 324.3797868133974),
    ],
    ids=["snyder_shen_example_4_8", "snyder_shen_problem_4_32"],
)
def test_s_s_power_approximation(
    holding: float, stockout: float, setup: float, mean: float, spread: float, low: float, high: float
) -> None:
    found = periodic_review.power_approximation(
        holding_cost=holding, stockout_cost=stockout, setup_cost=setup, mean_units=mean, sd_units=spread
    )
    assert found == (close(low), close(high))


REVIEW = rq.Review(
    holding_cost=0.225,
    stockout_cost=7.5,
    setup_cost=8,
    demand_units=1300,
    demand_sd_units=150,
    lead_time_periods=1 / 12,
)


def test_snyder_shen_example_5_1_r_q_cost_and_best_point() -> None:
    assert rq.reorder_cost(REVIEW, 126.8, 328.5) == close(78.071162509282942, 1e-14)
    assert rq.reorder_cost(REVIEW, 100, 250) == close(87.346478028174985, 1e-14)
    found = rq.reorder_point_for(REVIEW, 318)
    assert found == close(127.7880348669655, 1e-8)
    assert_no_printed_point_is_better(
        rq.reorder_cost(REVIEW, found, 318), rq.reorder_cost(REVIEW, 127.7880348669655, 318)
    )


def test_snyder_shen_example_5_2_expected_inventory_level() -> None:
    point, quantity, cost = rq.expected_inventory_level(REVIEW)
    assert (point, quantity) == (close(213.9704421358024, 1e-10), close(318.5901810768729, 1e-10))
    assert cost == pytest.approx(95.45114022, abs=5e-9)


def test_snyder_shen_examples_5_4_to_5_6_approximations() -> None:
    assert rq.backorder_lot_then_point(REVIEW) == (close(128.637814424271, 1e-8), close(308.5737801203754, 1e-14))
    assert rq.lot_plus_safety_stock(REVIEW) == (close(190.3369965715624, 1e-14), close(304.0467800264368, 1e-14))
    assert rq.loss_approximation(REVIEW) == (close(126.8670642878, 1e-8), close(328.4491413582, 1e-8))


def assert_no_printed_point_is_better(found_cost: float, printed_cost: float) -> None:
    """The source printed where its solver stopped, to more places than it was right to: ours costs no more than that."""
    assert found_cost <= printed_cost * (1 + 1e-15)


@pytest.mark.parametrize(
    ("holding", "stockout", "setup", "demand", "lead", "point", "quantity", "cost"),
    [
        (20, 150, 100, 1.5, 2, 3, 5, 107.9235806331498),
        (4, 28, 4, 12, 0.5, 6, 7, 28.241312842169155),
    ],
    ids=["snyder_shen_example_5_8", "snyder_shen_problem_5_2"],
)
def test_r_q_poisson_exact(
    holding: float,
    stockout: float,
    setup: float,
    demand: float,
    lead: float,
    point: int,
    quantity: int,
    cost: float,
) -> None:
    found = rq.poisson_reorder(
        holding_cost=holding, stockout_cost=stockout, setup_cost=setup, demand_units=demand, lead_time_periods=lead
    )
    assert found == (point, quantity, close(cost))


@pytest.mark.parametrize(
    ("z", "short", "left"),
    [
        (-1.4, 1.436668142708465, 0.036668142708465),
        (0.3, 0.26676124211721, 0.56676124211721),
        (3.1, 2.672490952231408e-4, 3.100267249095223),
    ],
)
def test_stockpyl_standard_normal_loss(z: float, short: float, left: float) -> None:
    found_short, found_left = standard_normal_loss(z)
    assert found_short == pytest.approx(short, rel=1e-9)
    assert found_left == pytest.approx(left, rel=1e-9)


@pytest.mark.parametrize(
    ("level", "mean", "short"),
    [(220, 200, 0.536005857158494), (5, 7, 2.292600125697305), (50, 47, 1.514546939496945)],
)
def test_stockpyl_poisson_loss(level: int, mean: float, short: float) -> None:
    assert poisson_loss(level, mean)[0] == pytest.approx(short, rel=1e-13)


def test_stockpyl_negative_binomial_loss() -> None:
    short, left = negative_binomial_loss(14, 23.333333333333336, 8.819171036881968)
    assert (round(short, 4), round(left, 4)) == (9.7401, 0.4068)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cost_that_is_not_a_positive_number_is_refused(bad: float) -> None:
    with pytest.raises(PolicyRefusal, match="costs_not_positive"):
        lot_size.economic_order_quantity(setup_cost=bad, holding_cost=1, demand_units=1)
    with pytest.raises(PolicyRefusal, match="costs_not_positive"):
        newsvendor.newsvendor_normal(holding_cost=bad, stockout_cost=1, mean_units=1, sd_units=sqrt(2))
