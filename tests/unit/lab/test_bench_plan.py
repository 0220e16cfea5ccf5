"""What the planning bench says of growth, against lines and curves that are known."""

from pathlib import Path

from lab.bench.plan_items import shapes_of, write
from lab.bench.plan_offline import _columns, growth


def runs(seconds: dict[int, float]) -> list[dict[str, float]]:
    return [{"items": items, "seconds": took} for items, took in seconds.items()]


def test_a_straight_line_is_seen_as_one() -> None:
    told = growth(runs({size: 2.0 + 0.0001 * size for size in (1_000, 10_000, 30_000, 100_000)}))
    assert (told["start_seconds"], told["added_seconds_per_1000"]) == (2.0, 0.1)
    assert (told["r_squared"], told["upper_to_lower"]) == (1.0, 1.0)


def test_growth_with_the_square_is_not_called_linear() -> None:
    told = growth(runs({size: 1e-8 * size * size for size in (1_000, 10_000, 30_000, 100_000)}))
    assert told["r_squared"] < 0.97 and told["upper_to_lower"] > 3


def test_peers_get_the_same_items(tmp_path: Path) -> None:
    items = 60
    write(tmp_path, items)
    columns = _columns(tmp_path, items)
    assert [len(values) for values in columns.values()] == [items] * 5
    assert len(set(shapes_of(items, 7).tolist())) > 10
    # Stock was drawn as up to thirty days of the item's own mean demand.
    assert all(stock <= 30 * mean for stock, mean in zip(columns["stock"], columns["mean"], strict=True))
