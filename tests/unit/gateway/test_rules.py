"""The small pure rules of the gateway: ranking, paging, secrets, limits, cross-site checks, spreadsheets, the fan."""

import csv
import io
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.forecasts import HORIZONS_DAYS, LEVELS
from schemas.recommendations import ExceptionRaised
from services.gateway.domain.credentials import KEY_MARK, read_secret, write_secret
from services.gateway.domain.cursors import CursorRefused, read_cursor, write_cursor
from services.gateway.domain.fan import DRAWN_LEVELS, Published, day_bands, sentence, span_bands
from services.gateway.domain.limits import Limiter
from services.gateway.domain.lines import STATUS_AFTER, STATUSES, rank_score, urgency
from services.gateway.domain.origin import may_change
from services.gateway.domain.spreadsheet import safe_cell, write_rows
from services.gateway.domain.wording import EXCEPTION_KINDS, ROUTE_REASONS, label
from services.gateway.ingest.recent import Recent

MONDAY = date(2017, 11, 20)
scalars = st.one_of(
    st.none(), st.text(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False)
)


class TestRanking:
    def test_empty_before_the_order_arrives_counts_double(self) -> None:
        arrive = MONDAY + timedelta(days=4)
        assert urgency(origin=MONDAY, arrive_on=arrive, stockout_on=MONDAY + timedelta(days=3)) == 2.0
        assert urgency(origin=MONDAY, arrive_on=arrive, stockout_on=MONDAY + timedelta(days=8)) == 1.5
        assert urgency(origin=MONDAY, arrive_on=arrive, stockout_on=None) == 1.0

    @given(money=st.floats(0, 1e9), lead=st.integers(0, 60), sooner=st.integers(0, 100), later=st.integers(0, 100))
    def test_sooner_stock_out_never_ranks_lower(self, money: float, lead: int, sooner: int, later: int) -> None:
        def score(days: int) -> float:
            return rank_score(
                money_at_risk=money,
                stockout_probability=0.5,
                origin=MONDAY,
                arrive_on=MONDAY + timedelta(days=lead),
                stockout_on=MONDAY + timedelta(days=days),
            )

        assert score(min(sooner, later)) >= score(max(sooner, later))

    def test_every_verdict_leads_to_a_known_status(self) -> None:
        from typing import get_args

        from schemas.decisions import Verdict

        assert set(STATUS_AFTER) == set(get_args(Verdict))
        assert set(STATUS_AFTER.values()) <= set(STATUSES)


class TestWords:
    def test_every_code_of_the_contracts_has_words(self) -> None:
        from typing import get_args

        from schemas.recommendations import RouteReason

        assert set(ROUTE_REASONS) == set(get_args(RouteReason))
        assert set(EXCEPTION_KINDS) == set(get_args(ExceptionRaised.model_fields["kind"].annotation))

    def test_unknown_code_is_made_readable(self) -> None:
        assert label({}, "some_new_reason") == "Some new reason"


class TestCursors:
    @given(query=st.text(), values=st.lists(scalars, max_size=4))
    def test_cursor_gives_back_what_it_was_made_of(self, query: str, values: list[str | int | float | None]) -> None:
        assert read_cursor(query, write_cursor(query, values), len(values)) == values

    @given(text=st.text())
    def test_any_other_text_is_refused(self, text: str) -> None:
        with pytest.raises(CursorRefused):
            read_cursor("query", text, 2)

    def test_cursor_of_another_query_is_refused(self) -> None:
        with pytest.raises(CursorRefused, match="another filter"):
            read_cursor("b", write_cursor("a", [1]), 1)


class TestSecrets:
    @given(tenant=st.text(min_size=1, max_size=64), random=st.binary(min_size=38, max_size=38))
    def test_secret_carries_its_tenant_and_is_read_back(self, tenant: str, random: bytes) -> None:
        try:
            tenant.encode()
        except UnicodeEncodeError:
            return
        secret = write_secret(KEY_MARK, tenant, random)
        assert read_secret(secret.text) == secret

    @pytest.mark.parametrize(
        "text", ["", "cs", "cs.a.b", "xx.YWNtZQ.aa.bb", "cs.!.aa.bb", "cs..aa.bb", "cs.YWNtZQ.aa." + "b" * 600]
    )
    def test_other_texts_are_no_secrets(self, text: str) -> None:
        assert read_secret(text) is None

    def test_secret_moved_to_another_tenant_has_another_hash(self) -> None:
        acme, globex = (write_secret(KEY_MARK, tenant, bytes(38)) for tenant in ("acme", "globex"))
        assert acme.sha256 != globex.sha256

    def test_too_little_randomness_is_refused(self) -> None:
        with pytest.raises(ValueError, match="38 random bytes"):
            write_secret(KEY_MARK, "acme", bytes(37))


class TestLimiter:
    def test_burst_then_wait_then_again(self) -> None:
        limiter = Limiter(burst=3, period_seconds=30)
        for _ in range(3):
            assert limiter.retry_after_seconds("a", 0) == 0
            limiter.take("a", 0)
        assert limiter.retry_after_seconds("a", 0) == pytest.approx(10)
        assert limiter.retry_after_seconds("b", 0) == 0
        assert limiter.retry_after_seconds("a", 10) == 0

    @given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
    def test_never_more_than_burst_plus_refill(self, times: list[float]) -> None:
        limiter = Limiter(burst=5, period_seconds=10)
        taken = 0
        for now in sorted(times):
            if limiter.retry_after_seconds("a", now) == 0:
                limiter.take("a", now)
                taken += 1
        assert taken <= 5 + (max(times) - min(times)) * 0.5 + 1e-6

    def test_success_is_not_counted(self) -> None:
        limiter = Limiter(burst=1, period_seconds=60)
        for _ in range(10):
            assert limiter.retry_after_seconds("office", 0) == 0
            limiter.take("office", 0)
            limiter.give_back("office", 0)

    def test_flood_of_keys_is_forgotten_oldest_first(self) -> None:
        limiter = Limiter(burst=1, period_seconds=60, keys_max=2)
        for key in "abc":
            limiter.take(key, 0)
        assert limiter.retry_after_seconds("a", 0) == 0
        assert limiter.retry_after_seconds("c", 0) > 0


class TestCrossSite:
    @pytest.mark.parametrize(
        ("method", "site", "origin", "content_type", "allowed"),
        [
            ("GET", "cross-site", "https://evil.example", None, True),
            ("POST", "same-origin", None, None, True),
            ("POST", "none", None, None, True),
            ("POST", "cross-site", None, "application/json", False),
            ("POST", "same-site", None, "application/json", False),
            ("POST", "cross-site", "http://localhost:8080", "application/json", False),
            ("POST", None, "http://localhost:8080", "text/plain", True),
            ("POST", None, "https://evil.example", "application/json", False),
            ("POST", None, "null", "application/json", False),
            ("POST", None, None, "application/json", True),
            ("POST", None, None, "application/json; charset=utf-8", True),
            ("POST", None, None, "text/plain", False),
            ("POST", None, None, "application/x-www-form-urlencoded", False),
            ("POST", None, None, None, False),
            ("DELETE", None, None, None, True),
            ("DELETE", "cross-site", None, None, False),
        ],
    )
    def test_only_our_own_pages_and_programs_change_anything(
        self, method: str, site: str | None, origin: str | None, content_type: str | None, allowed: bool
    ) -> None:
        answer = may_change(
            method=method, sec_fetch_site=site, origin=origin, host="localhost:8080", content_type=content_type
        )
        assert answer is allowed


class TestSpreadsheet:
    @pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")'])
    def test_no_cell_starts_a_formula(self, text: str) -> None:
        assert safe_cell(text).startswith("'")

    @pytest.mark.parametrize(("value", "text"), [("-12.5", "-12.5"), (-3, "-3"), (None, ""), ("Milk", "Milk")])
    def test_numbers_and_words_stay(self, value: object, text: str) -> None:
        assert safe_cell(value) == text

    @given(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=20), min_size=1, max_size=5
        )
    )
    def test_rows_come_back_as_they_went_in(self, values: list[str]) -> None:
        text = write_rows(["name"], [{"name": value} for value in values])
        rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
        assert [row[0] if row else "" for row in rows[1:]] == [safe_cell(value) for value in values]


class TestFan:
    def forecast(self, scale: int = 1000) -> Published:
        spread = (0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 1.6, 1.8, 2.0, 2.2, 2.5)
        rows = [[int(days * scale * share) for share in spread] for days in HORIZONS_DAYS]
        return Published(MONDAY, HORIZONS_DAYS, LEVELS, [scale * 100] * 56, rows)

    def test_first_day_band_is_the_published_one(self) -> None:
        first = day_bands(self.forecast(), 28)[0]
        assert first.on == MONDAY + timedelta(days=1)
        assert first.quantiles == (5.0, 6.0, 10.0, 15.0, 16.0, 20.0)

    def test_spans_are_the_published_quantiles(self) -> None:
        for band, row in zip(span_bands(self.forecast()), self.forecast().quantiles_e2, strict=True):
            assert band.quantiles == tuple(row[LEVELS.index(level)] / 100 for level in DRAWN_LEVELS)

    def test_no_demand_is_a_flat_line(self) -> None:
        flat = Published(MONDAY, HORIZONS_DAYS, LEVELS, [0] * 56, [[0] * 11] * 11)
        assert all(set(band.quantiles) == {0.0} for band in day_bands(flat, 28))

    def test_bands_are_those_of_the_first_open_day_where_the_doors_are_shut_tomorrow(self) -> None:
        shut = self.forecast()
        means = [0, *shut.mean_e4[1:]]
        rows = [[0] * 11, *shut.quantiles_e2[:-1]]  # two days sell what one does
        bands = day_bands(Published(MONDAY, HORIZONS_DAYS, LEVELS, means, rows), 28)
        assert set(bands[0].quantiles) == {0.0} and bands[1].quantiles == (5.0, 6.0, 10.0, 15.0, 16.0, 20.0)

    def test_a_day_that_expects_next_to_nothing_does_not_flatten_the_others(self) -> None:
        """A shop that is shut on Saturdays, as a model learned it: a hundredth of a unit tomorrow, and nothing in any level."""
        shut = self.forecast()
        means = [90, *shut.mean_e4[1:]]
        rows = [[0] * 11, *shut.quantiles_e2[:-1]]
        bands = day_bands(Published(MONDAY, HORIZONS_DAYS, LEVELS, means, rows), 28)
        assert bands[1].quantiles[2] == pytest.approx(10.0, rel=0.01) and bands[0].quantiles[2] < 0.02

    def test_sentence_says_the_same_as_the_chart(self) -> None:
        assert sentence(self.forecast()) == "Next 14 days: 140 expected, 84 to 210 likely (80 %)."


def test_recent_remembers_the_newest_and_tells_repeats_from_conflicts() -> None:
    recent = Recent(limit=2)
    for name in ("a", "b", "c"):
        recent.remember({name: 0})
    assert recent.look("a", 0) == "new"
    assert recent.look("c", 0) == "repeat"
    assert recent.look("c", 2) == "conflict"
