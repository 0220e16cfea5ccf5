"""Back-tests as jobs: queued in Postgres, computed in a process of their own, stored for good; can be cancelled."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson

from kernel.distribution import DAYS
from kit import telemetry
from kit.database import Database, Transaction
from services.forecaster.accuracy_api import as_json
from services.forecaster.children import ChildFailed, ChildStopped, Nursery, Source, read_frame
from services.forecaster.domain.accuracy import Sums, measures
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.panel import IntArray
from services.forecaster.model.backtest import SHOWN_HORIZONS_DAYS, Spoken, overlay, speak, tally
from services.forecaster.model.pipeline import HistoryTooShort
from services.forecaster.model.shelf import Place
from services.forecaster.model.strategies import strategy_named
from services.forecaster.settings import Settings
from services.forecaster.store import accuracy, backtests
from services.forecaster.store.accuracy import Wanted

log = telemetry.get_logger()
RAN = telemetry.counter("backtests_total", "Back-tests by outcome", ("outcome",))
for _outcome in ("done", "failed", "cancelled"):
    RAN.labels(_outcome)  # stands at 0 from the start
OVERLAY_ITEMS_MAX = 12
OVERLAY_BACK_DAYS = 56
GROUPS_MAX = 12  # of locations and categories told apart, those that sold most
ORIGIN_DAYS_MIN = 56  # history before the first origin, so that a week has been seen eight times


@dataclass(frozen=True, slots=True)
class Wish:
    """What to back-test. Absent parts of the scope mean all; origins lie `step_days` apart, the last one `last_back`
    days before the last closed day."""

    strategies: tuple[str, ...]
    origins: int
    step_days: int
    skus: tuple[str, ...] = ()
    location: str | None = None
    category: str | None = None
    abc_class: str | None = None
    class_skus: tuple[str, ...] = ()

    def chosen(self, frame: Frame) -> IntArray:
        """Rows of the frame in the scope."""
        skus, classed = set(self.skus), set(self.class_skus)
        return np.array(
            [
                row
                for row, item in enumerate(frame.items)
                if (not skus or item.sku in skus)
                and self.location in (None, item.location)
                and self.category in (None, item.category)
                and (self.abc_class is None or item.sku in classed)
            ],
            dtype=np.int64,
        )


def backtest_tenant(source: Source, wish: Wish, progress: Callable[[str, float], None]) -> dict[str, Any]:
    """Read, forecast at every origin with every strategy, compare: the work of the child."""
    progress("reading history", 0.02)
    frame = read_frame(source)
    if frame is None:
        raise HistoryTooShort("no business day is closed yet; send sales and a business-day close first")
    chosen = wish.chosen(frame)
    if not len(chosen):
        raise ValueError("no item is in this scope; check product, location, category and class")
    origins = origins_of(frame.panel.days, wish)
    spoken: dict[str, list[Spoken]] = {}
    for number, name in enumerate(wish.strategies):
        strategy = strategy_named(name, seed=source.seed, threads=source.threads, horizon=DAYS)
        base, part = 0.05 + 0.9 * number / len(wish.strategies), 0.9 / len(wish.strategies)

        def told(stage: str, share: float, base: float = base, part: float = part) -> None:
            progress(stage, base + part * share)

        spoken[name] = speak(frame.panel, origins, strategy, chosen, told)
    progress("comparing", 0.96)
    return outcome(frame, wish, chosen, spoken)


def origins_of(days: int, wish: Wish) -> list[int]:
    """Origin columns, oldest first: the newest leaves the longest shown horizon closed behind it, as far as there is
    history. Raises HistoryTooShort."""
    reach = min(SHOWN_HORIZONS_DAYS[-1], max(SHOWN_HORIZONS_DAYS[1], days - 1 - ORIGIN_DAYS_MIN))
    newest = days - 1 - reach
    origins = [newest - wish.step_days * back for back in range(wish.origins)]
    usable = sorted(origin for origin in origins if origin >= ORIGIN_DAYS_MIN - 1)
    if not usable:
        need = ORIGIN_DAYS_MIN + reach
        raise HistoryTooShort(f"{days} days are closed, a back-test needs {need}; choose it again when there are more")
    return usable


def outcome(frame: Frame, wish: Wish, chosen: IntArray, spoken: Mapping[str, list[Spoken]]) -> dict[str, Any]:
    """The result as it is stored and shown."""
    panel = frame.panel
    everything = np.arange(len(chosen))
    origins = [one.origin for one in next(iter(spoken.values()))]

    def read(said: list[Spoken], horizon: int, inside: IntArray) -> Sums:
        return tally(panel, said, chosen, horizon, inside)

    strategies = []
    for name, said in spoken.items():
        by_horizon = {}
        for horizon in SHOWN_HORIZONS_DAYS:
            sums = read(said, horizon, everything)
            if sums.windows:
                by_horizon[str(horizon)] = as_json(measures(sums, -(-horizon // wish.step_days)))
        strategies.append({"strategy": name, "horizons": by_horizon})
    groups = [
        {"kind": kind, "name": label, "strategies": [
            {"strategy": name, "horizons": {
                str(horizon): _short(read(said, horizon, inside)) for horizon in SHOWN_HORIZONS_DAYS
            }} for name, said in spoken.items()
        ]}
        for kind, label, inside in _groups(frame, chosen)
    ]  # fmt: skip
    sold = np.nansum(panel.demand[chosen], axis=1)
    largest = np.argsort(-sold, kind="stable")[:OVERLAY_ITEMS_MAX].tolist()
    return {
        "items": len(chosen),
        "origins": [panel.day(origin).isoformat() for origin in origins],
        "trained_on": len(panel.item_ids),
        "strategies": strategies,
        "groups": groups,
        "overlay": overlay(panel, spoken, chosen, largest, OVERLAY_BACK_DAYS),
    }


def _groups(frame: Frame, chosen: IntArray) -> list[tuple[str, str, IntArray]]:
    """Locations and categories of the chosen items, those that sold most first; none where there is only one."""
    sold = np.nansum(frame.panel.demand[chosen], axis=1)
    out: list[tuple[str, str, IntArray]] = []
    for kind in ("location", "category"):
        labels = np.array([getattr(frame.items[row], kind) or "" for row in chosen.tolist()], dtype=object)
        names = sorted(set(labels.tolist()), key=lambda name: (-float(sold[labels == name].sum()), name))
        if len(names) > 1:
            out += [(kind, name, np.flatnonzero(labels == name)) for name in names[:GROUPS_MAX]]
    return out


def _short(sums: Sums) -> dict[str, Any]:
    kept = ("windows", "actual", "total_error", "bias", "quantile_loss", "value_added")
    whole = as_json(measures(sums))
    return {name: whole[name] for name in kept}


class Backtester:
    """Runs queued back-tests one at a time."""

    def __init__(self, database: Database, models: Place, settings: Settings) -> None:
        self._database = database
        self._models = models
        self._settings = settings
        self._nursery = Nursery()
        self.close = self._nursery.close

    async def run_once(self) -> None:
        """Look for work in every tenant."""
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                job = await backtests.take(tx, tenant)
            if job is not None:
                await self._run(tenant, job["backtest_id"], job["request"])

    async def _run(self, tenant: str, backtest_id: str, request: str) -> None:
        async def report(stage: str, share: float) -> bool:
            async with self._database.transaction(tenant) as tx:
                return await backtests.report(tx, tenant, backtest_id, stage, share)

        settings = self._settings
        source = Source(
            tenant,
            settings.database_url.get_secret_value(),
            self._models,
            settings.history_days,
            settings.forecaster_seed,
            settings.forecaster_threads,
        )
        error: str | None = None
        result: dict[str, Any] | None = None
        async with self._database.transaction(tenant) as tx:
            wish = await wish_of(tx, tenant, request)
        try:
            result = await self._nursery.run(backtest_tenant, source, wish, report)
        except ChildStopped:
            RAN.labels("cancelled").inc()
            return
        except ChildFailed as failure:
            error = str(failure)
        async with self._database.transaction(tenant) as tx:
            if result is not None:
                result |= {"people": await people(tx, tenant, wish), "wish": asdict(wish) | {"class_skus": []}}
            await backtests.finish(tx, tenant, backtest_id, result, error)
        RAN.labels("done" if error is None else "failed").inc()
        log.info("backtest_ended", tenant=tenant, backtest_id=backtest_id, error=error)


async def wish_of(tx: Transaction, tenant: str, request: str) -> Wish:
    """The stored request as the child reads it, with the products of the class it names."""
    asked = orjson.loads(request)
    classed: tuple[str, ...] = ()
    if asked.get("abc_class"):
        rows = await tx.fetch(
            "select sku from catalogue_items where tenant = $1 and abc_class = $2", tenant, asked["abc_class"]
        )
        classed = tuple(row["sku"] for row in rows)
    return Wish(
        tuple(asked["strategies"]), asked["origins"], asked["step_days"], tuple(asked.get("skus") or ()),
        asked.get("location"), asked.get("category"), asked.get("abc_class"), classed,
    )  # fmt: skip


async def people(tx: Transaction, tenant: str, wish: Wish) -> dict[str, Any] | None:
    """What overrides did to published forecasts of the same scope, from the ledger; None where nothing was scored."""
    sku = wish.skus[0] if len(wish.skus) == 1 else None
    wanted = Wanted("all", 7, sku, wish.location, wish.category, wish.abc_class)
    rows = await accuracy.grouped(tx, tenant, wanted, 1)
    return as_json(measures(rows[0][1], 7)) if rows else None
