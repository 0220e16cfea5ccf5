"""What the forecast bench counts, on rows made by hand."""

import pandas as pd

from lab.bench.forecast import CONTESTS, Contest, _totals

CONTEST = Contest("made", "made.parquet", (), ("2024-01-07", "2024-01-14"), horizon=2, totals=(2,))


def test_coverage_of_totals_is_told_by_origin_and_apart_for_those_whose_quantile_is_a_unit_or_more() -> None:
    rows, totals = [], []
    # Two series that sell nothing and one that does; at the second origin it sells more than was said.
    for cutoff, sold in zip(CONTEST.origins, (3, 9), strict=True):
        for series, units, said in (("a", 0, 0.0), ("b", 0, 0.5), ("c", sold, 8.0)):
            day = pd.Timestamp(cutoff)
            rows += [
                {"unique_id": series, "cutoff": day, "ds": day + pd.Timedelta(days=ahead), "y": units * (ahead == 2)}
                for ahead in (1, 2, 3)
            ]
            quantiles = {f"q{level:g}": said for level in (0.1, 0.5, 0.9, 0.95, 0.99)}
            totals.append({"unique_id": series, "cutoff": day, "horizon": 2} | quantiles)
    classes = pd.Series({"a": "C", "b": "C", "c": "A"})
    told = _totals(CONTEST, pd.DataFrame(rows), pd.DataFrame(totals), 2, classes)
    assert told["coverage"]["0.9"] == round(5 / 6, 4) and told["coverage_by_origin"] == [1.0, round(2 / 3, 4)]
    assert told["a_unit_or_more"] == {"share": round(2 / 6, 4), "coverage": 0.5}
    assert told["coverage_by_class"]["A"]["0.9"] == 0.5 and told["coverage_by_class"]["C"]["0.9"] == 1.0


def test_series_and_origins_of_the_published_keys_are_apart_from_those_nobody_looked_at() -> None:
    named = {contest.name: contest for contest in CONTESTS}
    for file in ("complete-journey", "online-retail"):
        keys, others, more = (named[f"{file}{kind}"] for kind in ("", "-others", "-origins"))
        assert not keys.others and others.others and more.others
        assert not set(keys.origins) & set(others.origins) and not set(others.origins) & set(more.origins)
        assert len(more.origins) >= 8
