"""The accuracy ledger: promises go in with every forecast, sums come out once the days they speak of are closed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kit.database import Transaction
from services.forecaster.domain.accuracy import SCORED_LEVELS, Sums

# Scored in one transaction at most: 20,000 windows are one evening of four thousand items.
WINDOWS_MAX = 20_000
LEVEL_NAMES = tuple(f"q{round(level * 100)}" for level in SCORED_LEVELS)
SUM_NAMES = (
    "windows", "hidden", "actual", "expected", "model_expected", "absolute_error", "model_absolute_error",
    "naive_absolute_error", *(f"loss_{name}" for name in LEVEL_NAMES), *(f"below_{name}" for name in LEVEL_NAMES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Promise:
    """What one forecast says about the `horizon_days` after its origin, in stocking units."""

    sku: str
    location: str
    origin: date
    horizon_days: int
    due_on: date
    at_lead_time: bool
    model_id: str
    strategy: str
    expected: float
    model_expected: float
    naive: float
    quantiles: tuple[float, ...]
    override_ids: tuple[str, ...] = ()


async def lead_times(tx: Transaction, tenant: str) -> Mapping[tuple[str, str], int]:
    """Days from order to receipt by (sku, location); location '' where the terms hold everywhere. The supplier that
    comes first by priority counts."""
    rows = await tx.fetch(
        "select distinct on (sku, location) sku, location, lead_time_days from supply_terms"
        " where tenant = $1 and active and lead_time_days is not null order by sku, location, priority, supplier",
        tenant,
    )
    return {(row["sku"], row["location"]): row["lead_time_days"] for row in rows}


async def define_terms(tx: Transaction, tenant: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows (sku, location or '', supplier, lead time in days, priority, active, defined at). Newer facts win."""
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(7)]
    await tx.execute(
        "insert into supply_terms as t (tenant, sku, location, supplier, lead_time_days, priority, active, defined_at)"
        " select distinct on (s, l, u) $1, s, l, u, d, p, a, w from unnest($2::text[], $3::text[], $4::text[],"
        " $5::int[], $6::int[], $7::bool[], $8::timestamptz[]) with ordinality as x(s, l, u, d, p, a, w, n)"
        " order by s, l, u, w desc, n desc"
        " on conflict (tenant, sku, location, supplier) do update set lead_time_days = excluded.lead_time_days,"
        " priority = excluded.priority, active = excluded.active, defined_at = excluded.defined_at"
        " where excluded.defined_at >= t.defined_at",
        tenant,
        *columns,
    )


async def keep(tx: Transaction, tenant: str, promises: Sequence[Promise]) -> None:
    """Remember promises; a forecast made again for the same origin (a correction came late) takes the place of the
    first, because it is the one that is acted on."""
    rows = sorted(promises, key=lambda one: (one.sku, one.location, one.origin, one.horizon_days))
    if not rows:
        return
    names = ", ".join(LEVEL_NAMES)
    casts = ", ".join(f"{name}::numeric(16, 4)" for name in ("e", "m", "v", *LEVEL_NAMES))
    fresh = ", ".join(
        f"{name} = excluded.{name}"
        for name in ("due_on", "at_lead_time", "model_id", "strategy", "expected", "model_expected", "naive",
                     *LEVEL_NAMES, "override_ids")
    )  # fmt: skip
    await tx.execute(
        "insert into promises (tenant, sku, location, origin, horizon_days, due_on, at_lead_time, model_id, strategy,"
        f" expected, model_expected, naive, {names}, override_ids)"
        f" select $1, s, l, o, h, d, a, i, g, {casts}, coalesce(string_to_array(nullif(r, ''), ','), '{{}}')"
        " from unnest($2::text[], $3::text[], $4::date[], $5::int[], $6::date[], $7::bool[], $8::text[], $9::text[],"
        " $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::float8[], $15::float8[], $16::float8[],"
        f" $17::float8[], $18::text[]) as t(s, l, o, h, d, a, i, g, e, m, v, {names}, r)"
        f" on conflict (tenant, sku, location, origin, horizon_days) do update set {fresh}",
        tenant,
        [one.sku for one in rows],
        [one.location for one in rows],
        [one.origin for one in rows],
        [one.horizon_days for one in rows],
        [one.due_on for one in rows],
        [one.at_lead_time for one in rows],
        [one.model_id for one in rows],
        [one.strategy for one in rows],
        [one.expected for one in rows],
        [one.model_expected for one in rows],
        [one.naive for one in rows],
        *([one.quantiles[level] for one in rows] for level in range(len(LEVEL_NAMES))),
        [",".join(one.override_ids) for one in rows],
    )


def _loss(level: float, name: str) -> str:
    """Pinball loss of a quantile column, 0 for windows that are hidden."""
    return f"greatest({level} * (actual - {name}), ({level} - 1) * (actual - {name}))"


_PARTS = {
    "windows": "count(*)",
    "hidden": "count(*) filter (where hidden)",
    **{
        name: f"coalesce(sum({value}) filter (where not hidden), 0)"
        for name, value in {
            "actual": "actual",
            "expected": "expected",
            "model_expected": "model_expected",
            "absolute_error": "abs(actual - expected)",
            "model_absolute_error": "abs(actual - model_expected)",
            "naive_absolute_error": "abs(actual - naive)",
            **{f"loss_{name}": _loss(level, name) for level, name in zip(SCORED_LEVELS, LEVEL_NAMES, strict=True)},
        }.items()
    },
    **{f"below_{name}": f"count(*) filter (where not hidden and actual <= {name})" for name in LEVEL_NAMES},
}
_ADDED = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in SUM_NAMES)
_SUMMED = ", ".join(f"{_PARTS[name]} as {name}" for name in SUM_NAMES)


def _into(table: str, keys: str, selected: str) -> str:
    return (
        f"insert into {table} as t (tenant, {keys}, strategy, {', '.join(SUM_NAMES)})"
        f" select $1, {selected}, max(strategy), {_SUMMED} from judged group by {selected} order by {selected}"
        f" on conflict (tenant, {keys}) do update set {_ADDED}"
    )


# A promise is due when the item was forecast again from the day it speaks of: by then the day is closed, its late
# sales of the evening are in, and its stock-out flags are set. Promise and score change in one statement.
_SCORE = (
    "with due as (delete from promises where ctid = any (array(select p.ctid from promises p join forecasts f"
    " on f.tenant = p.tenant and f.sku = p.sku and f.location = p.location where p.tenant = $1 and p.due_on <= f.origin"
    " order by p.due_on limit $2)) returning *),"
    " judged as (select due.*, date_trunc('month', due.due_on)::date as month, sold.actual, sold.hidden"
    " from due cross join lateral (select coalesce(sum(greatest(d.quantity, 0)), 0) as actual,"
    " coalesce(bool_or(d.censored), false) as hidden from daily_demand d where d.tenant = $1 and d.sku = due.sku"
    " and d.location = due.location and d.business_date > due.origin and d.business_date <= due.due_on) sold),"
    " by_item as (" + _into(
        "scores", "month, sku, location, model_id, horizon_days, at_lead_time",
        "month, sku, location, model_id, horizon_days, at_lead_time",
    ) + "), by_day as (" + _into(
        "score_days", "due_on, location, model_id, horizon_days, at_lead_time",
        "due_on, location, model_id, horizon_days, at_lead_time",
    ) + "), by_override as (insert into override_scores as t (tenant, override_id, horizon_days, windows, actual,"
    " absolute_error, model_absolute_error) select $1, one, horizon_days, count(*), sum(actual),"
    " sum(abs(actual - expected)), sum(abs(actual - model_expected)) from judged, unnest(override_ids) as one"
    " where not hidden group by one, horizon_days order by one, horizon_days"
    " on conflict (tenant, override_id, horizon_days) do update set windows = t.windows + excluded.windows,"
    " actual = t.actual + excluded.actual, absolute_error = t.absolute_error + excluded.absolute_error,"
    " model_absolute_error = t.model_absolute_error + excluded.model_absolute_error)"
    " select count(*) from judged"
)  # fmt: skip


async def score(tx: Transaction, tenant: str) -> int:
    """Score what is due, at most WINDOWS_MAX windows; returns how many there were."""
    return int(await tx.fetchval(_SCORE, tenant, WINDOWS_MAX))


# What sums can be told by. Names come from here and from nowhere else, so that no caller's text reaches a statement.
_GROUPS = {
    "item": "s.sku || '@' || s.location",
    "location": "s.location",
    "category": "coalesce(c.category, '')",
    "class": "coalesce(c.abc_class, '')",
    "model": "s.model_id",
    "strategy": "s.strategy",
    "horizon": "s.horizon_days::text",
    "month": "to_char(s.month, 'YYYY-MM')",
    "all": "'all'",
}
GROUPS = tuple(_GROUPS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which scores to sum. `horizon_days` None: at the lead time of each item."""

    group_by: str
    horizon_days: int | None
    sku: str | None = None
    location: str | None = None
    category: str | None = None
    abc_class: str | None = None
    model_id: str | None = None
    since: date | None = None


async def grouped(tx: Transaction, tenant: str, wanted: Wanted, limit: int) -> list[tuple[str, Sums]]:
    """Sums by group, those with the most error first. Grouped by horizon, all horizons are told."""
    rows = await tx.fetch(
        f"select {_GROUPS[wanted.group_by]} as name, {_total('s')} from scores s"
        " left join catalogue_items c on c.tenant = s.tenant and c.sku = s.sku where s.tenant = $1"
        " and ($10 or ($2::int is null and s.at_lead_time) or s.horizon_days = $2)"
        " and ($3::text is null or s.sku = $3) and ($4::text is null or s.location = $4)"
        " and ($5::text is null or c.category = $5) and ($6::text is null or c.abc_class = $6)"
        " and ($7::text is null or s.model_id = $7) and ($8::date is null or s.month >= date_trunc('month', $8::date))"
        " group by 1 order by sum(s.absolute_error) desc, 1 limit $9",
        tenant,
        wanted.horizon_days,
        wanted.sku,
        wanted.location,
        wanted.category,
        wanted.abc_class,
        wanted.model_id,
        wanted.since,
        limit,
        wanted.group_by == "horizon",
    )
    return [(row["name"], sums_of(row)) for row in rows]


async def by_day(
    tx: Transaction, tenant: str, horizon_days: int, since: date, location: str | None
) -> list[tuple[date, Sums]]:
    """Sums of every day since then, oldest first."""
    rows = await tx.fetch(
        f"select s.due_on, {_total('s')} from score_days s where s.tenant = $1 and s.horizon_days = $2"
        " and s.due_on >= $3 and ($4::text is null or s.location = $4) group by 1 order by 1",
        tenant,
        horizon_days,
        since,
        location,
    )
    return [(row["due_on"], sums_of(row)) for row in rows]


async def of_model(
    tx: Transaction, tenant: str, model_id: str, horizon_days: int, days: int
) -> tuple[Sums, int, date | None]:
    """Sums of a model's last `days` scored days at one horizon, how many there are, and the newest of them."""
    row = await tx.fetchrow(
        f"with last as (select distinct due_on from score_days where tenant = $1 and model_id = $2 and horizon_days = $3"
        f" order by due_on desc limit $4) select count(distinct s.due_on) as days, max(s.due_on) as newest, {_total('s')}"
        " from score_days s join last using (due_on) where s.tenant = $1 and s.model_id = $2 and s.horizon_days = $3",
        tenant,
        model_id,
        horizon_days,
        days,
    )
    assert row is not None  # an aggregate without a group always answers
    return sums_of(row), row["days"], row["newest"]


async def recent(tx: Transaction, tenant: str, horizon_days: int, days: int) -> Sums:
    """Sums of all models over the last `days` scored days at one horizon."""
    row = await tx.fetchrow(
        "with last as (select distinct due_on from score_days where tenant = $1 and horizon_days = $2"
        f" order by due_on desc limit $3) select {_total('s')} from score_days s join last using (due_on)"
        " where s.tenant = $1 and s.horizon_days = $2",
        tenant,
        horizon_days,
        days,
    )
    assert row is not None  # an aggregate without a group always answers
    return sums_of(row)


def _total(alias: str) -> str:
    return ", ".join(f"coalesce(sum({alias}.{name}), 0) as {name}" for name in SUM_NAMES)


def sums_of(row: Any) -> Sums:
    """A row of sums as the domain reads them."""
    return Sums(
        windows=int(row["windows"]),
        hidden=int(row["hidden"]),
        actual=float(row["actual"]),
        expected=float(row["expected"]),
        model_expected=float(row["model_expected"]),
        absolute_error=float(row["absolute_error"]),
        model_absolute_error=float(row["model_absolute_error"]),
        naive_absolute_error=float(row["naive_absolute_error"]),
        losses=tuple(float(row[f"loss_{name}"]) for name in LEVEL_NAMES),
        below=tuple(int(row[f"below_{name}"]) for name in LEVEL_NAMES),
    )
