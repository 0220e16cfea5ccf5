"""Events that cannot be handled, as a person meets them: looked at, named, corrected, replayed or dropped through the
public API; every act is in the audit log, and what flows in the end is counted once and in order."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from cli.demo_progress import wait_until
from cli.errors import Exit
from cli.main import main
from countersign_client import ApiProblem
from kit.identity import PEM
from schemas.topics import EXCEPTIONS, SALES
from tests.scenario.stage import Stage, changed, record_of, sale

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.timeout(300)]
GTIN = "4006381333931"  # the example of GS1's own check digit pages


def settled_by(stage: Stage, reason: str) -> list[dict[str, Any]]:
    """What the audit log's topic says about acts with this reason, once both services have said theirs."""
    told: list[dict[str, Any]] = []

    def is_told() -> bool:
        acts = [orjson.loads(record.value) for record in stage.records_on(EXCEPTIONS) if b"settled_by" in record.value]
        told[:] = [one for one in acts if reason in one["reason"]]
        return len(told) >= 2

    assert wait_until(is_told, seconds=40.0), told
    return told


def test_an_unknown_code_waits_with_all_that_follows_until_a_person_names_it(stage: Stage) -> None:
    sku, place = stage.world.skus[2], stage.world.places[2]
    before = stage.on_hand(sku, place)
    stage.send(*(sale(stage, 2, quantity, f"by gtin {quantity}", sku=GTIN) for quantity in (1, 2, 3)))
    stage.settle()
    (key,) = [one for one in stage.planner.pages("/v1/parked") if f"/{GTIN}/" in one["record_key"]]
    assert (key["waiting"], key["reason"]) == (3, "unknown_identity")
    waiting = stage.planner.get("/v1/parked/events", record_key=key["record_key"])["items"]
    assert [orjson.loads(one["body"])["quantity"] for one in waiting] == ["1", "2", "3"]
    assert stage.on_hand(sku, place) == before, "nothing is guessed"
    released = stage.planner.post("/v1/parked:release", {"record_key": key["record_key"]})
    assert released["handled"] == {"policy": 0, "forecaster": 0}

    alias = {"subject": "item", "scheme": "gtin", "code": GTIN, "target": sku}
    with pytest.raises(ApiProblem, match="check digit"):
        stage.planner.post("/v1/aliases", {**alias, "code": "4006381333932"})
    stage.planner.post("/v1/aliases", alias)
    stage.settle()
    assert stage.on_hand(sku, place) == before - 6
    assert not [one for one in stage.planner.pages("/v1/parked") if one["record_key"] == key["record_key"]]
    day = stage.world.day(stage.world.shape.history_days).isoformat()
    assert stage.planner.get(f"/v1/names/item/{GTIN}", on=day)["target"] == sku


def test_a_waiting_event_is_dropped_at_every_service_with_the_reason_in_the_log(stage: Stage) -> None:
    stage.send(sale(stage, 1, 1, "nobody knows it", sku="no-such-thing"))
    stage.settle()
    (key,) = [one for one in stage.planner.pages("/v1/parked") if "/no-such-thing/" in one["record_key"]]
    drop = {"record_key": key["record_key"], "reason": "a display of the till maker"}
    with stage.access.person(stage.local.gateway_url, "auditor") as auditor:
        assert auditor.get("/v1/parked/events", record_key=key["record_key"])["items"]
        with pytest.raises(ApiProblem) as refused:
            auditor.post("/v1/parked:drop", drop)
    assert refused.value.status == 403
    assert stage.planner.post("/v1/parked:drop", drop)["dropped"] == {"policy": 1, "forecaster": 1}
    with pytest.raises(ApiProblem) as gone:
        stage.planner.post("/v1/parked:drop", drop)
    assert (gone.value.status, gone.value.code) == (404, "key_not_parked")
    stage.settle()
    acts = settled_by(stage, drop["reason"])
    assert {(act["consumer"], act["held_as"], act["action"], act["settled_by"]) for act in acts} == {
        ("policy", "parked", "dropped", "planner"),
        ("forecaster", "parked", "dropped", "planner"),
    }


def test_a_dead_letter_is_corrected_once_and_counts_once(stage: Stage) -> None:
    sku, place = stage.world.skus[3], stage.world.places[3]
    before = stage.on_hand(sku, place)
    good = sale(stage, 3, 4, "mangled on its way")
    value = orjson.dumps({**good.data, "quantity": "four"})
    stage.produce(changed(record_of(good), value=value))
    stage.settle()
    letters = [one for one in stage.planner.pages("/v1/dead-letters") if one["event_id"] == good.id]
    assert {one["service"] for one in letters} == {"policy", "forecaster"}
    (letter,) = [one for one in letters if one["service"] == "policy"]
    assert (letter["code"], letter["field"], letter["body"]) == ("invalid_body", "quantity", value.decode())
    path = f"/v1/dead-letters/policy/{letter['letter_id']}"
    assert stage.planner.get(path) == letter

    replayed = stage.planner.post("/v1/dead-letters:replay", {"letters": [chosen(one) for one in letters]})["items"]
    assert {one["outcome"] for one in replayed} == {"died_again"}
    data = {name: text for name, text in good.data.items() if name != "tenant"}
    correction = {
        "type": good.type,
        "time": good.time,
        "data": {**data, "quantity": "0"},
        "reason": "the till wrote words",
    }
    with pytest.raises(ApiProblem, match=r"data\.quantity"):
        stage.planner.post(f"{path}/correction", correction)
    done = stage.planner.post(f"{path}/correction", {**correction, "data": data})
    assert {(one["service"], one["outcome"]) for one in done["settled"]} == {
        ("policy", "dropped"),
        ("forecaster", "dropped"),
    }
    with pytest.raises(ApiProblem) as again:
        stage.planner.post(f"{path}/correction", {**correction, "data": data})
    assert (again.value.status, again.value.code) == (409, "letter_settled")
    stage.settle()
    assert stage.on_hand(sku, place) == before - Decimal(4)
    assert {act["consumer"] for act in settled_by(stage, f"corrected as {done['event_id']}")} == {
        "policy",
        "forecaster",
    }


def test_a_copy_of_what_another_service_has_handled_is_refused(stage: Stage) -> None:
    good = sale(stage, 3, 1, "dead at one of two")
    stage.produce(changed(record_of(good), value=b"{"))
    stage.settle()
    letters = [one for one in stage.planner.pages("/v1/dead-letters") if one["event_id"] == good.id]
    # As if the forecaster could read it: its letter is not there.
    stage.query("delete from forecaster.dead_letters where letter_id = $1::text::uuid", of(letters, "forecaster"))
    correction = {"type": good.type, "time": good.time, "data": good.data, "reason": "cut off"}
    with pytest.raises(ApiProblem) as refused:
        stage.planner.post(f"/v1/dead-letters/policy/{of(letters, 'policy')}/correction", correction)
    assert (refused.value.status, refused.value.code) == (409, "handled_elsewhere")
    drop = {"letters": [{"service": "policy", "letter_id": of(letters, "policy")}], "reason": "seen by hand"}
    assert [one["outcome"] for one in stage.planner.post("/v1/dead-letters:drop", drop)["items"]] == ["dropped"]
    assert [one["outcome"] for one in stage.planner.post("/v1/dead-letters:drop", drop)["items"]] == ["settled_before"]
    assert not [record for record in stage.records_on(SALES) if b"corrected" in record.value]


def chosen(letter: dict[str, Any]) -> dict[str, Any]:
    return {"service": letter["service"], "letter_id": letter["letter_id"]}


def of(letters: list[dict[str, Any]], service: str) -> str:
    (found,) = [one["letter_id"] for one in letters if one["service"] == service]
    return str(found)


def test_an_epcis_receipt_is_booked_once_its_gtin_and_gln_are_named(stage: Stage) -> None:
    sku, place = stage.world.skus[0], stage.world.places[0]
    before = stage.on_hand(sku, place)
    day = stage.world.day(stage.world.shape.history_days).isoformat()
    received = {
        "type": "ObjectEvent",
        "eventID": "urn:uuid:8f93dd62-f7d5-4033-887a-e81e7596a988",
        "eventTime": f"{day}T17:00:00Z",
        "eventTimeZoneOffset": "-06:00",
        "action": "OBSERVE",
        "bizStep": "receiving",
        "bizLocation": {"id": "urn:epc:id:sgln:0614141.00888.0"},
        "epcList": ["urn:epc:id:sgtin:0614141.107346.2017", "urn:epc:id:sgtin:0614141.107346.2018"],
        "quantityList": [{"epcClass": "https://id.gs1.org/01/10614141073464", "quantity": 10}],
    }
    broken = {**received, "eventID": "urn:uuid:2", "bizStep": None}
    with pytest.raises(ApiProblem) as refused:
        stage.client.post(
            "/v1/epcis/capture", {"type": "EPCISDocument", "epcisBody": {"eventList": [received, broken]}}
        )
    assert (refused.value.code, refused.value.errors[0]["field"]) == ("epcis_refused", "eventList.1.bizStep")
    document = {"type": "EPCISDocument", "schemaVersion": "2.0", "epcisBody": {"eventList": [received, broken]}}
    proceed = {"GS1-Capture-Error-Behaviour": "proceed"}
    told = stage.client.post("/v1/epcis/capture", document, proceed)
    assert [one["result"] for one in told["events"]] == ["accepted", "rejected"]
    stage.settle()
    assert stage.on_hand(sku, place) == before, "neither the GTIN nor the GLN has a meaning yet"
    stage.planner.post("/v1/aliases", {"subject": "item", "scheme": "gtin", "code": "10614141073464", "target": sku})
    alias = {"subject": "location", "scheme": "legacy_code", "code": "0614141008889", "target": place}
    stage.planner.post("/v1/aliases", alias)
    stage.settle()
    assert stage.on_hand(sku, place) == before + 12
    assert (
        next(one["result"] for one in stage.client.post("/v1/epcis/capture", document, proceed)["events"])
        == "duplicate"
    )
    stage.settle()
    assert stage.on_hand(sku, place) == before + 12


def test_internal_key_is_replaced_while_every_service_runs(stage: Stage) -> None:
    """Nothing is restarted and no call fails: each of these asks all services that hold letters, and audit its log."""
    folder = str(stage.local.data_dir)
    with stage.access.person(stage.local.gateway_url, "auditor") as auditor:
        for step in ("replace", "retire"):
            assert main(["key", step, "--data-dir", folder, "--json"]) == Exit.OK
            stage.planner.get("/v1/dead-letters")
            assert auditor.get("/v1/audit/checkpoint")["note"]
    assert len(PEM.findall((stage.local.data_dir / "keys" / "internal.pub").read_bytes())) == 1
