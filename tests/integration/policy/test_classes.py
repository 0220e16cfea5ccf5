"""Classes and achieved fill rates from the ledger, against a day-by-day walk through the same movements."""

import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import sqrt

import numpy as np
import pytest
import pytest_asyncio

from kit.database import Database
from schemas.catalogue import ItemDefined
from services.policy.domain.evidence import Policy
from services.policy.domain.movements import DIRECTIONS
from services.policy.domain.parameters import Parameters
from services.policy.store import catalogue, classes, evidence, ledger, sold
from services.policy.store.ledger import Movement
from tests.ground import FreshDatabase
from tests.integration.policy.seat import NOON

pytestmark = pytest.mark.integration
TENANT = "acme"
FIRST = date(2017, 9, 1)
DAYS = 60
LAST = FIRST + timedelta(days=DAYS - 1)
Moved = list[tuple[date, str, int]]


@pytest_asyncio.fixture
async def opened(database: FreshDatabase) -> AsyncIterator[Database]:
    found = await Database.open(database.url("policy"), "policy")
    try:
        yield found
    finally:
        await found.close()


def life(seed: int) -> Moved:
    """Sixty days of an item, and one more that is not closed yet: receipts now and then, sales while stock lasts."""
    chance, stock = random.Random(seed), 0
    moved: Moved = []
    for day in range(0 if seed % 3 else 9, DAYS + 1):
        at = FIRST + timedelta(days=day)
        if chance.random() < 0.12:
            moved.append((at, "receipt", units := chance.randint(5, 30)))
            stock += units
        if chance.random() < 0.9 / (1 + seed % 4):
            sold = min(chance.randint(1, 6), stock)
            moved += [(at, "sale", sold)] if sold else []
            stock -= sold
    return moved


def walked(moved: Moved, starts: date) -> dict[str, float]:
    """Day by day: what was sold, on which days with stock at the close, and what the days without it lost."""
    stock, sold_in, lost_on, out, served = 0, [], [], 0, 0
    first = min(at for at, _kind, _units in moved)
    days = [starts + timedelta(days=number) for number in range((LAST - starts).days + 1)]
    for day in days:
        of_day = [(kind, units) for at, kind, units in moved if at == day]
        stock += sum(DIRECTIONS[kind][0] * units for kind, units in of_day)
        sold = sum(units for kind, units in of_day if kind == "sale")
        served += sold
        if day < first:
            continue  # nothing of it was there, and nothing is known to have been asked for
        if stock > 0:
            sold_in.append(sold)
        else:
            lost_on.append(sold)
            out += 1
    mean = sum(sold_in) / len(sold_in) if sold_in else 0.0
    variance = sum(one * one for one in sold_in) / len(sold_in) - mean * mean if sold_in else 0.0
    lost = sum(max(mean - one, 0.0) for one in lost_on)
    return {
        "mean": mean,
        "sd": sqrt(max(variance, 0)),
        "served": served,
        "asked": served + lost,
        "in": len(sold_in),
        "out": out,
    }


async def book(opened: Database, lives: dict[str, Moved]) -> None:
    movements = [
        Movement(sku, "L1", uuid.uuid4(), kind, Decimal(units), datetime.combine(at, time(12), UTC), at)
        for sku, moved in lives.items()
        for at, kind, units in moved
    ]
    async with opened.transaction(TENANT) as tx:
        await ledger.book(tx, TENANT, movements)
        await ledger.close_days(tx, TENANT, [("L1", LAST)])
        items = [
            ItemDefined(tenant=TENANT, sku=sku, name=sku, price=Decimal(10), currency="USD", defined_at=NOON,
                        abc_class="C" if sku == "S3" else None)
            for sku in lives
        ]  # fmt: skip
        await catalogue.define_items(tx, TENANT, items)


async def test_what_the_ledger_knows_is_what_a_walk_through_the_days_finds(opened: Database) -> None:
    lives = {f"S{seed}": life(seed) for seed in range(24)}
    await book(opened, lives)
    async with opened.transaction(TENANT) as tx:
        assert await classes.refresh(tx, TENANT)
        assert not await classes.refresh(tx, TENANT)  # once a day
        assert await classes.window(tx, TENANT) == (FIRST, LAST)
        found = {sku: await classes.of_item(tx, TENANT, sku, "L1") for sku in lives}
        totals = await classes.totals(tx, TENANT, by_catalogue=False)
    values = []
    for sku, moved in lives.items():
        row, truth = found[sku], walked(moved, FIRST)
        assert row is not None
        assert (row["days_in_stock"], row["days_out"]) == (truth["in"], truth["out"]), sku
        for name, column in (
            ("mean", "mean_units"),
            ("sd", "sd_units"),
            ("asked", "asked_units"),
            ("served", "served_units"),
        ):
            assert float(row[column]) == pytest.approx(truth[name], abs=2e-4), (sku, name)
        assert row["value"] == 10 * row["served_units"]
        values.append((row["value"], row["abc_class"]))
        varies = truth["sd"] / truth["mean"]
        assert row["xyz_class"] == ("X" if varies <= 0.5 else "Y" if varies <= 1 else "Z")
    assert {letter for _value, letter in values} == {"A", "B", "C"}
    letters = [letter for _value, letter in sorted(values, key=lambda one: (-one[0], one[1]))]
    assert letters == sorted(letters)
    assert sum(row["items"] for row in totals) == len(lives)
    assert sum(row["asked"] for row in totals) > sum(row["served"] for row in totals)  # something was lost


async def test_demand_day_by_day_adds_up_to_what_the_classes_were_asked_for(opened: Database) -> None:
    lives = {f"S{seed}": life(seed) for seed in range(24)}
    await book(opened, lives)
    async with opened.transaction(TENANT) as tx:
        found = await sold.asked_for(tx, TENANT, [(sku, "L1") for sku in [*lives, "NEVER"]], FIRST, LAST)
    assert found.shape == (len(lives) + 1, DAYS) and np.isnan(found[-1]).all()
    for row, (_sku, moved) in zip(found, lives.items(), strict=False):
        truth = walked(moved, FIRST)
        assert np.nansum(row) == pytest.approx(truth["asked"])
        begins = (min(at for at, _kind, _units in moved) - FIRST).days
        assert np.isnan(row[:begins]).all() and not np.isnan(row[begins:]).any()
        of_day = {
            at: sum(units for when, kind, units in moved if when == at and kind == "sale") for at, _k, _u in moved
        }
        assert all(row[(at - FIRST).days] >= units for at, units in of_day.items() if at <= LAST)


async def test_classes_are_evidence_and_set_the_goal(opened: Database) -> None:
    """S3 is C in the catalogue; the others have the class their sales give them, unless the policy wants that of all."""
    await book(opened, {f"S{seed}": life(seed) for seed in range(24)})
    async with opened.transaction(TENANT) as tx:
        await classes.refresh(tx, TENANT)
        computed = {f"S{seed}": await classes.of_item(tx, TENANT, f"S{seed}", "L1") for seed in range(24)}
        rules = Parameters(service_goal_z_less=Decimal("0.05"))
        for source in ("catalogue", "computed"):
            policy = Policy("default", 1, Parameters(class_source=source))
            loaded = await evidence.read(tx, TENANT, [(sku, "L1") for sku in computed], policy)
            for known, _previous in loaded:
                row = computed[known.sku]
                assert known.item is not None and row is not None
                told = "C" if (source, known.sku) == ("catalogue", "S3") else row["abc_class"]
                assert known.item.class_name == told + row["xyz_class"]
                less = rules.service_goal(known.item.abc_class) - rules.service_goal(
                    known.item.abc_class, known.item.xyz_class
                )
                assert less == (Decimal("0.05") if row["xyz_class"] == "Z" else 0)


async def test_less_than_four_weeks_of_movements_make_no_class(opened: Database) -> None:
    recent = [(LAST - timedelta(days=day), "sale", 2) for day in range(27)]
    await book(opened, {"S1": recent})
    async with opened.transaction(TENANT) as tx:
        assert await classes.refresh(tx, TENANT)
        assert await classes.of_item(tx, TENANT, "S1", "L1") is None
        assert await classes.totals(tx, TENANT, by_catalogue=True) == []
