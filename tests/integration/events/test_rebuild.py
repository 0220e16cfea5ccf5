"""Derived state is dropped and derived again: the same digest, not a word more, and nothing that was not read before."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kit import parking, snapshot
from kit.database import SchemaMismatch
from kit.rebuild import Derived, Outcome, demand_finished, digest, rebuild
from schemas.catalogue import IdentityAliasDefined, SupersessionDefined
from schemas.demand import SaleVoided
from services.forecaster import derived as forecaster
from services.policy import derived as policy
from tests import ground
from tests.ground import Ground
from tests.integration.events.both import (
    DAY,
    NOON,
    SERVICES,
    TENANT,
    Both,
    both,
    closed,
    counted,
    item,
    moved,
    place,
    released,
    sale,
)
from tests.integration.events.test_every_kind import answered, signal

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]
DERIVED = {"forecaster": forecaster.DERIVED, "policy": policy.DERIVED}
HOUR = timedelta(hours=1)


def quiet(_done: int, _total: int) -> None:
    """Progress nobody watches."""


async def tell_a_story(side: Both) -> None:
    """A bit of everything: late, void, counted, unnamed and named later, moved to another meaning, dead, parked."""
    await side.define(place("L1"), item("A"), item("B"), item("C"))
    await side.send(sale("A", "1.5"), sale("A", "2.25"), sale("B", 4), sale("later", 7), sale("never", 9))
    await side.send(moved("A", "receipt", 40), counted("A", 30, NOON + HOUR), moved("B", "reservation", 2))
    await side.send(sale("A", 3), ids=["void-me"])
    await side.settled()
    void = SaleVoided(
        tenant=TENANT, sku="A", location="L1", sale_event_id="void-me", quantity=Decimal(3), business_date=DAY,
        voided_at=NOON + 5 * HOUR,
    )  # fmt: skip
    alias = IdentityAliasDefined(
        tenant=TENANT, scheme="legacy_code", subject="item", code="later", target="B", defined_at=NOON
    )
    await side.send(closed(), alias)
    await side.settled()
    again = alias.model_copy(update={"target": "C", "defined_at": NOON + HOUR})
    await side.send(void, sale("A", 1), sale("later", 1), at=NOON + 24 * HOUR)
    await side.define(again)
    await side.send(sale("later", 2), moved("A", "receipt", 5).model_copy(update={"quantity": Decimal(-5)}))
    await side.send(signal("s1", "promotion"), released(), answered("confirmed", units=8))
    await side.define(
        SupersessionDefined(
            tenant=TENANT, predecessor="B", successor="C", effective_on=DAY, ratio=Decimal(2), defined_at=NOON
        )
    )


async def again(side: Both, service: str, fill: Any = None) -> Outcome:
    return await rebuild(side.settings[service], side.databases[service], DERIVED[service], quiet, fill=fill)


async def words(side: Both, service: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await side.rows(service, "select seq, event_id from outbox order by seq")]


async def test_the_digest_is_the_same_and_nothing_is_said_again(side: Both, tmp_path: Path) -> None:
    await tell_a_story(side)
    for service in SERVICES:
        await side.halt(service)
    demand = [await side.demand(sku) for sku in "ABC"]
    stock = [await side.position(sku) for sku in "ABC"]
    files = {name: await snapshot.write(side.databases[name], DERIVED[name], tmp_path) for name in SERVICES}
    await side.send(sale("A", 100), moved("C", "receipt", 50))  # not read yet: must not be read silently
    said = {service: await words(side, service) for service in SERVICES}
    for service in SERVICES:
        # The relay forgets what it published long ago; a replay must not depend on what is left of it.
        async with side.databases[service].transaction(side.tenant) as tx:
            await tx.execute("delete from outbox where topic like '%.dead'")
        said[service] = await words(side, service)
        outcome = await again(side, service)
        assert outcome.differing == [], {
            name: (outcome.before[name], outcome.after[name]) for name in outcome.differing
        }
        assert outcome.records >= 10
        assert await words(side, service) == said[service]
        from_snapshot = await again(side, service, snapshot.Filling(DERIVED[service], service, files[service].path))
        assert from_snapshot.differing == []
        assert from_snapshot.records == 0, "a snapshot that stands where the service stood leaves nothing to read"
        assert from_snapshot.before == outcome.after
        assert await words(side, service) == said[service]
    assert [await side.demand(sku) for sku in "ABC"] == demand
    assert [await side.position(sku) for sku in "ABC"] == stock
    side.start()
    await side.settled()
    assert await side.demand("A") == demand[0] + 100
    assert (await side.position("C"))[0] == stock[2][0] + 50


async def test_a_rebuild_from_a_snapshot_reads_what_came_after_it_and_comes_out_the_same(
    side: Both, platform: Ground, tmp_path: Path
) -> None:
    """Also where all that is left is the file and the log since: on a database that is new, which counts on from there."""
    await tell_a_story(side)
    await side.define(sale("never", 8))
    files = {name: await snapshot.write(side.databases[name], DERIVED[name], tmp_path) for name in SERVICES}
    await side.send(
        sale("A", 5), sale("never", 1), moved("never", "receipt", 2), sale("later", 3), closed(DAY + 24 * HOUR)
    )
    await side.settled()
    await side.define(item("D"))
    await side.define(sale("D", 4))
    own = {
        "policy": "select sku, replan_below, replan_at_or_above from positions order by sku",
        "forecaster": "select sku, business_date, revision, censored from daily_demand order by 1, 2",
    }
    for service, change in (
        ("policy", "update positions set replan_below = 7"),
        ("forecaster", "update daily_demand set censored = true"),
    ):
        async with side.databases[service].transaction(side.tenant) as tx:
            await tx.execute(change)  # as a plan and a forecast do
            never = await tx.fetchval("select min(record_key) from parked_events")
            first = await tx.fetchval("select event_hash from parked_events where record_key = $1 order by seq", never)
            await parking.drop(tx, side.tenant, never, event_hash=first, reason="a test till", by="pia")
    waits = "select record_key, topic, record_offset from parked_events order by seq"
    for service in SERVICES:
        await side.halt(service)
        fill = snapshot.Filling(DERIVED[service], service, files[service].path)
        before = [tuple(row) for row in await side.rows(service, own[service])]
        outcome = await again(side, service, fill)
        assert outcome.differing == []
        assert [tuple(row) for row in await side.rows(service, own[service])] == before, "its own words stay"
        assert 0 < outcome.records < (await again(side, service)).records
        parked = [tuple(row) for row in await side.rows(service, waits)]
        assert len(parked) >= 2
        with ground.fresh_database(platform) as new:
            async with both(platform, side.namespace, new) as other:
                other.tenant = side.tenant
                await rebuild(other.settings[service], other.databases[service], DERIVED[service], quiet, fill=fill)
                other.start(service)
                await other.settled()
                found = await digest(other.databases[service], DERIVED[service].tables)
                assert {name for name in found if found[name] != outcome.after[name]} == {"parked_events"}
                held = [tuple(row) for row in await other.rows(service, waits)]
                assert [one for one in held if one in parked] == parked, "what is parked next comes behind what waits"
                assert len(held) == len(parked) + 1, "what was dropped since is looked at again"
    side.start()


async def test_a_rebuild_that_was_interrupted_keeps_the_service_down_and_goes_on(side: Both) -> None:
    await side.define(place("L1"), item("A"))
    await side.send(sale("A", 2), moved("A", "receipt", 9))
    await side.settled()
    await side.halt("policy")
    database, settings = side.databases["policy"], side.settings["policy"]
    before = await digest(database, policy.TABLES)

    def attach_nothing_that_works(_consumer: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rebuild(settings, database, Derived(policy.TABLES, attach_nothing_that_works), quiet)
    assert await side.position("A") == (0, 0, 0)
    with pytest.raises(SchemaMismatch, match="rebuild policy"):
        await demand_finished(database)
    outcome = await again(side, "policy")
    assert outcome.before == before == outcome.after
    await demand_finished(database)


async def test_a_change_behind_the_books_is_found_by_the_digest_and_put_right(side: Both) -> None:
    await side.define(place("L1"), item("A"))
    await side.send(sale("A", 2), moved("A", "receipt", 9))
    await side.settled()
    for service, vandal in (
        ("policy", "update positions set on_hand = on_hand + 1"),
        ("forecaster", "update daily_demand set quantity = quantity + 1"),
    ):
        await side.halt(service)
        async with side.databases[service].transaction(side.tenant) as tx:
            await tx.execute(vandal)
        assert (await again(side, service)).differing == [vandal.split()[1]]
    assert (await side.demand("A"), (await side.position("A"))[0]) == (Decimal(2), Decimal(7))
