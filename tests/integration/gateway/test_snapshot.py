"""Read models from a snapshot and the log that came after it."""

import signal
from pathlib import Path

import pytest
from pydantic import SecretStr

from kit import snapshot
from kit.database import Database
from kit.rebuild import Outcome, rebuild
from kit.settings import ServiceSettings
from schemas.catalogue import SupplierItemDefined
from services.gateway.derived import DERIVED
from tests.ground import wait_for
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said

pytestmark = pytest.mark.integration


def test_read_models_come_out_the_same_from_a_snapshot_and_the_log_since(gateway: Gateway, tmp_path: Path) -> None:
    terms = SupplierItemDefined(
        tenant="acme", supplier="SUP-17", sku="1029743", lead_time_days=4, defined_at=messages.NOW
    )
    with gateway.client("planner") as planner:
        gateway.publish(*[said(one, "gateway") for one in (*messages.masters(), terms)], said(messages.issued()))
        eventually(lambda: len(planner.get("/v1/recommendations").json()["items"]) == 1)
        wait_for(written(gateway, tmp_path))
        gateway.publish(said(messages.issued(sku="HONEY")))
        eventually(lambda: len(planner.get("/v1/recommendations").json()["items"]) == 2)
    assert gateway.stop(signal.SIGTERM) == 0
    outcome = wait_for(from_snapshot(gateway, next(tmp_path.glob("*.gz"))))
    assert outcome.differing == []
    assert 1 <= outcome.records <= 6, "not the whole log again"
    gateway.start()


async def written(gateway: Gateway, folder: Path) -> None:
    database = await Database.open(gateway.database.url("gateway"), "gateway", pool_max=2)
    try:
        await snapshot.write(database, DERIVED, folder)
    finally:
        await database.close()


async def from_snapshot(gateway: Gateway, file: Path) -> Outcome:
    url = gateway.database.url("gateway")
    settings = ServiceSettings(
        namespace=gateway.namespace, kafka_bootstrap=gateway.platform.kafka_bootstrap, database_url=SecretStr(url)
    )
    database = await Database.open(url, "gateway", pool_max=2)
    try:
        fill = snapshot.Filling(DERIVED, "gateway", file)
        return await rebuild(settings, database, DERIVED, lambda _done, _total: None, fill=fill)
    finally:
        await database.close()
