"""An evening of the forecaster alone: days close, every item is forecast from what Postgres holds, on one core.

Makes a database of its own, fills it, trains once, then measures runs from reading to commit (`./run bench live`).
"""

import asyncio
import logging
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import numpy as np
import structlog

from kit.database import Database, migrate
from services.forecaster.children import Source
from services.forecaster.domain.promotion import Judgement, Outcome
from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.shelf import Directory, Place
from services.forecaster.settings import Settings
from services.forecaster.store import demand, registry
from services.forecaster.training import decide, train_tenant
from services.forecaster.worker import Worker

TENANT = "bench"
FIRST = date(2022, 1, 3)
LOCATIONS = 10


async def fill(database: Database, items: int, days: int) -> date:
    """Poisson demand with a weekday profile for every item; returns the last day, which is closed."""
    dice = np.random.default_rng(11)
    weekday = np.array([0.8, 0.8, 0.9, 1.0, 1.3, 1.6, 0.6])[np.arange(days) % 7]
    last = FIRST + timedelta(days=days - 1)
    calendar = [FIRST + timedelta(days=day) for day in range(days)]
    async with database.transaction(TENANT) as tx:
        await tx.execute("insert into tenants (tenant) values ($1)", TENANT)
    for start in range(0, items, 100):
        skus, places, dates, units = [], [], [], []
        for item in range(start, min(start + 100, items)):
            level = float(np.exp(dice.uniform(np.log(0.05), np.log(5))))
            sold = dice.poisson(level * weekday)
            for day in np.flatnonzero(sold).tolist():
                skus.append(f"s{item:05}")
                places.append(f"L{item % LOCATIONS}")
                dates.append(calendar[day])
                units.append(str(sold[day]))
        async with database.transaction(TENANT) as tx:
            await tx.execute(
                "insert into daily_demand (tenant, sku, location, business_date, quantity)"
                " select $1, s, l, d, q::numeric from unnest($2::text[], $3::text[], $4::date[], $5::text[]) t(s, l, d, q)",
                TENANT, skus, places, dates, units,
            )  # fmt: skip
            keys = [
                (f"s{item:05}", f"L{item % LOCATIONS}", item % 4, FIRST)
                for item in range(start, min(start + 100, items))
            ]
            await demand.add_items(tx, TENANT, keys)
    async with database.transaction(TENANT) as tx:
        for place in range(LOCATIONS):
            await tx.execute(
                "insert into closed_days (tenant, location, partition, business_date, closed_at) values ($1, $2, -1, $3, $4)",
                TENANT, f"L{place}", last, datetime.combine(last, datetime.min.time(), tzinfo=UTC),
            )  # fmt: skip
    return last


async def close(database: Database, cause: str) -> None:
    """Make every location due, as an evening's closes do."""
    async with database.transaction(TENANT) as tx:
        closings = await demand.every_closing(tx, TENANT)
        places, partitions, times = (list(column) for column in zip(*closings, strict=True))
        await demand.due_closings(tx, TENANT, places, partitions, [cause] * len(closings), times)


async def evening(url: str, folder: Path, items: int, days: int, runs: int) -> dict[str, Any]:
    """Fill, train, run; seconds of wall time and of this process's processor per run, and of one correction."""
    database = await Database.open(url, "forecaster", pool_max=2)
    try:
        await fill(database, items, days)
        settings = Settings(data_dir=folder, forecaster_threads=1)
        source = Source(TENANT, url, Place(folder / "models"), settings.history_days, settings.forecaster_seed, 1)
        started = time.perf_counter()
        result = await asyncio.to_thread(train_tenant, source, None, lambda stage, share: None)
        trained = time.perf_counter() - started
        now = datetime.now(UTC)
        async with database.transaction(TENANT) as tx:
            await registry.keep(tx, TENANT, result.trained, "bench", now)
            promote = Judgement(Outcome.PROMOTE, "bench")
            await decide(tx, TENANT, result.trained.model_id, promote, "bench", "bench", now)
        worker = Worker(database, ArtefactStore(Directory(folder / "models")), settings, lambda: 0, lambda: None)
        worker.wake()
        await worker.run_once()  # loads the model; the promotion made everything due
        told = []
        for run in range(runs):
            await close(database, f"close-{run}")
            told.append(await timed(worker))
        async with database.transaction(TENANT) as tx:
            await tx.execute(
                "insert into due_items (tenant, sku, location, cause, cause_at) values ($1, 's00003', 'L3', 'late', now())",
                TENANT,
            )
        correction = await timed(worker)
        async with database.transaction(TENANT) as tx:
            count = await tx.fetchval("select count(*) from forecasts where tenant = $1", TENANT)
    finally:
        await database.close()
    return {"items": count, "days": days, "training_seconds": round(trained, 2), "runs": told, "correction": correction}


async def timed(worker: Worker) -> dict[str, float]:
    """One turn of the worker."""
    wall, processor = time.perf_counter(), time.process_time()
    worker.wake()
    await worker.run_once()
    return {
        "seconds": round(time.perf_counter() - wall, 3),
        "processor_seconds": round(time.process_time() - processor, 3),
    }


async def measure(admin_url: str, items: int, days: int, runs: int) -> dict[str, Any]:
    """In a database of its own, which is dropped afterwards."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    name = f"bench_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f"create database {name}")
        url = urlunsplit(urlsplit(admin_url)._replace(path=f"/{name}"))
        await migrate(url, "forecaster")
        with TemporaryDirectory() as folder:
            return await evening(url, Path(folder), items, days, runs)
    finally:
        await admin.execute(f"drop database if exists {name} with (force)")
        await admin.close()
