"""Looking at, replaying and dropping what is held up, through the services' own internal API."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from kit import held
from kit.consumer import BatchConsumer
from kit.events import Envelope, headers_of, outgoing
from kit.http import create_app
from kit.identity import Mint, Principal, Verifier, ensure_keys
from schemas.catalogue import IdentityAliasDefined
from services.policy import stream as policy
from tests.integration.events.both import NOON, TENANT, Both, item, moved, place, sale

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


class Desk:
    """Policy's internal API as the gateway calls it, in the name of one person."""

    def __init__(self, side: Both, client: httpx2.AsyncClient, keys: Path) -> None:
        self._side, self._client, self._keys = side, client, keys

    async def call(self, method: str, path: str, body: Any = None, roles: tuple[str, ...] = ("planner",)) -> Any:
        private, _public = ensure_keys(self._keys)
        token = Mint(private).token(Principal(self._side.tenant, "pia", frozenset(roles)), "policy")
        answer = await self._client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(side: Both, tmp_path: Path) -> AsyncIterator[Desk]:
    _private, public = ensure_keys(tmp_path)
    app: FastAPI = create_app("policy", title="policy")
    app.state.verifier = Verifier(public, "policy")
    consumer = BatchConsumer(side.settings["policy"], side.databases["policy"])
    policy.attach(consumer, side.handlers)
    held.attach(
        app, side.databases["policy"], consumer, lambda tx, tenant: side.handlers.free(tx, tenant, cause="held")
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://policy") as client:
        yield Desk(side, client, tmp_path)


async def test_a_person_sees_what_waits_and_drops_one_event_with_a_reason(side: Both, desk: Desk) -> None:
    await side.define(item("A"), place("L1"))
    await side.send(sale("x", 2), sale("x", 3), sale("A", 1), ids=["one", "two", "three"])
    await side.settled()
    status, waiting = await desk.call("GET", "/held/parked")
    assert status == 200
    (key,) = waiting["items"]
    assert (key["event_id"], key["waiting"], key["reason"]) == ("one", 2, "unknown_identity")
    status, answer = await desk.call("POST", "/held/parked/release", {"record_key": key["record_key"]})
    assert (status, answer["handled"], answer["waiting"]) == (200, 0, 2), "nothing is guessed"
    drop = {"record_key": key["record_key"], "event_hash": key["event_hash"], "reason": "a test till"}
    assert (await desk.call("POST", "/held/parked/drop", drop, roles=("auditor",)))[0] == 403
    assert (await desk.call("POST", "/held/parked/drop", drop))[0] == 200
    assert (await desk.call("POST", "/held/parked/drop", drop))[0] == 404
    status, left = await desk.call("GET", f"/held/parked/events?record_key={key['record_key']}")
    assert [one["event_id"] for one in left["items"]] == ["two"]
    drop_all = {"record_key": key["record_key"], "reason": "the rest too"}
    assert (await desk.call("POST", "/held/parked/drop", drop_all))[0] == 200
    kinds = [one["type"] for one in await side.said("policy", "exceptions.v1")]
    assert sorted(set(kinds)) == ["exception.raised.v1", "exception.resolved.v1", "held-event.settled.v1"]
    assert kinds[-1] == "exception.resolved.v1", "nothing waits for the code any more"
    assert kinds.count("held-event.settled.v1") == 2, "the audit log is told who took which event out, and why"
    assert await side.position("A") == (Decimal(-1), 0, 0)


async def test_a_dead_letter_is_replayed_once_its_cause_is_gone_and_counts_once(side: Both, desk: Desk) -> None:
    await side.define(item("A"), place("L1"))
    negative = moved("A", "receipt", 5).model_copy(update={"quantity": Decimal(-5)})
    await side.send(negative, moved("A", "receipt", 7), ids=["bad", "good"])
    await side.settled()
    status, dead = await desk.call("GET", "/held/dead")
    (letter,) = dead["items"]
    assert (status, letter["code"], letter["event_id"], letter["attempts"]) == (200, "quantity_negative", "bad", 1)
    ids = {"letter_ids": [letter["letter_id"]]}
    status, answer = await desk.call("POST", "/held/dead/replay", ids)
    assert (status, answer["items"][0]["outcome"]) == (200, "died_again")
    assert (await desk.call("GET", f"/held/dead/{letter['letter_id']}"))[1]["attempts"] == 2
    # The cause goes away: here, by mending the bytes as a new version of the reader would read them.
    async with side.databases["policy"].transaction(side.tenant) as tx:
        await tx.execute("update dead_letters set value = replace(convert_from(value, 'UTF8'), '-5', '5')::bytea")
    assert (await desk.call("POST", "/held/dead/replay", ids))[1]["items"][0]["outcome"] == "replayed"
    assert (await desk.call("POST", "/held/dead/replay", ids))[1]["items"][0]["outcome"] == "settled_before"
    assert await side.position("A") == (Decimal(12), 0, 0)


async def test_many_dead_letters_are_replayed_in_the_order_in_which_they_died(side: Both, desk: Desk) -> None:
    """Whatever order they are asked for in: under their key they wait for its name, and go on, as they came."""
    await side.define(place("L1"))
    bad = [moved("x", "receipt", units).model_copy(update={"quantity": Decimal(-units)}) for units in (3, 5, 7, 9)]
    await side.send(*bad, ids=["first", "second", "third", "fourth"])
    await side.settled()
    letters = (await desk.call("GET", "/held/dead"))[1]["items"]
    assert [one["event_id"] for one in letters] == ["first", "second", "third", "fourth"]
    async with side.databases["policy"].transaction(side.tenant) as tx:
        mended = "update dead_letters set value = replace(convert_from(value, 'UTF8'), '\"-', '\"')::bytea"
        await tx.execute(f"{mended} where record_offset <> $1", letters[2]["offset"])
    ids = [letters[place]["letter_id"] for place in (3, 1, 0, 2)]
    outcomes = (await desk.call("POST", "/held/dead/replay", {"letter_ids": ids}))[1]["items"]
    assert [one["letter_id"] for one in outcomes] == [one["letter_id"] for one in letters]
    assert [one["outcome"] for one in outcomes] == ["replayed", "replayed", "died_again", "replayed"]
    waiting = (await desk.call("GET", f"/held/parked/events?record_key={side.tenant}/x/L1"))[1]["items"]
    assert [one["event_id"] for one in waiting] == ["first", "second", "fourth"]
    await side.define(item("x"))
    assert await side.position("x") == (Decimal(17), 0, 0)


async def test_what_cannot_be_read_is_kept_with_its_bytes_and_dropped_with_a_reason(side: Both, desk: Desk) -> None:
    await side.define(item("A"), place("L1"))
    good = outgoing(sale("A").model_copy(update={"tenant": side.tenant}), service="test", cause="c", time=NOON)
    envelope = Envelope("e\x00e", "pos\x00/1", good.envelope.type, NOON, side.tenant, "")
    headers = [(name, raw) for name, raw in headers_of(good) if name not in ("ce_id", "ce_source")]
    await side.send_raw(
        "sales.v1", b"k\x00", b"\xff{", [*headers, ("ce_id", envelope.id.encode()), ("ce_source", b"\xfe")]
    )
    await side.send(sale("A", 2))
    await side.settled()
    assert await side.position("A") == (Decimal(-2), 0, 0), "the poison stalls nobody"
    (letter,) = (await desk.call("GET", "/held/dead"))[1]["items"]
    assert letter["code"] == "invalid_headers"
    path = f"/held/dead/{letter['letter_id']}/drop"
    assert (await desk.call("POST", path, {"reason": "a broken till"}))[0] == 200
    assert (await desk.call("POST", path, {"reason": "a broken till"}))[0] == 409
    assert (await desk.call("GET", "/held/dead?state=dropped"))[1]["items"][0]["settled_reason"] == "a broken till"


async def test_one_can_ask_what_a_code_meant_for_a_day_as_it_was_known_then(side: Both, desk: Desk) -> None:
    alias = IdentityAliasDefined(
        tenant=TENANT, scheme="legacy_code", subject="item", code="old", target="A", defined_at=NOON
    )
    await side.define(item("A"), place("L1"), alias)
    found = (await desk.call("GET", "/names/item/old?on=2024-03-05"))[1]
    assert found["target"] == "A"
    assert [(one["scheme"], one["target"]) for one in found["facts"]] == [("legacy_code", "A")]
    before = (await desk.call("GET", "/names/item/old?on=2024-03-05&known_at=2001-01-01T00:00:00Z"))[1]
    assert before["target"] is None
