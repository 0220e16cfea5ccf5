"""Administrators make, change and close accounts; nobody can lock everybody out; a password is shown once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx2
import orjson
import pytest

from tests.ground import wait_for
from tests.integration.gateway.process import Gateway

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def admin(gateway: Gateway) -> Iterator[httpx2.Client]:
    with gateway.client("admin", fresh=True) as client:
        yield client


def sign_in(gateway: Gateway, username: str, password: str, tenant: str = "acme") -> httpx2.Client:
    """A client with a session of its own; `.status` of the answer is asserted by whoever uses it."""
    body = {"username": username, "password": password, "tenant": tenant}
    answer = httpx2.post(f"{gateway.url}/v1/session", json=body, timeout=20)
    return httpx2.Client(base_url=gateway.url, timeout=20, cookies=dict(answer.cookies))


def make(admin: httpx2.Client, username: str, *roles: str) -> str:
    """Its password."""
    answer = admin.post("/v1/accounts", json={"username": username, "name": username.title(), "roles": list(roles)})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["password"])


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def listed(admin: httpx2.Client) -> dict[str, dict[str, Any]]:
    return {one["username"]: one for one in admin.get("/v1/accounts").json()["items"]}


def test_a_person_is_made_signs_in_and_may_do_what_the_roles_say(gateway: Gateway, admin: httpx2.Client) -> None:
    password = make(admin, "ada", "planner")
    with sign_in(gateway, "ada", password) as ada:
        assert ada.get("/v1/session").json()["roles"] == ["planner"]
        assert ada.get("/v1/accounts").status_code == 403
        changed = admin.put("/v1/accounts/ada", json={"name": "Ada L.", "roles": ["auditor", "admin"]})
        assert changed.json()["roles"] == ["admin", "auditor"]
        assert ada.get("/v1/session").json()["name"] == "Ada L."
        assert ada.get("/v1/accounts").status_code == 200  # at once, in the session that was open
    assert password not in admin.get("/v1/accounts").text
    again = admin.post("/v1/accounts", json={"username": "ada", "name": "Another", "roles": ["planner"]})
    assert code(again) == (409, "account_exists")
    assert listed(admin)["ada"]["name"] == "Ada L."


def test_a_closed_account_is_out_at_once_and_can_be_reopened(gateway: Gateway, admin: httpx2.Client) -> None:
    password = make(admin, "bob", "approver")
    state = {"name": "Bob", "roles": ["approver"]}
    with sign_in(gateway, "bob", password) as bob:
        assert admin.put("/v1/accounts/bob", json=state | {"active": False}).status_code == 200
        assert bob.get("/v1/session").status_code == 401
    with sign_in(gateway, "bob", password) as bob:
        assert bob.get("/v1/session").status_code == 401
    assert admin.put("/v1/accounts/bob", json=state | {"active": True}).status_code == 200
    with sign_in(gateway, "bob", password) as bob:
        assert bob.get("/v1/session").status_code == 200


def test_a_new_password_ends_the_old_one_and_its_sessions(gateway: Gateway, admin: httpx2.Client) -> None:
    old = make(admin, "cyd", "planner")
    with sign_in(gateway, "cyd", old) as cyd:
        new = admin.post("/v1/accounts/cyd/password", json={}).json()["password"]
        assert cyd.get("/v1/session").status_code == 401
    with sign_in(gateway, "cyd", old) as cyd:
        assert cyd.get("/v1/session").status_code == 401
    with sign_in(gateway, "cyd", new) as cyd:
        assert cyd.get("/v1/session").status_code == 200


def test_people_set_a_password_of_their_own(gateway: Gateway, admin: httpx2.Client) -> None:
    given, own = make(admin, "dan", "planner"), "correct horse battery"
    with sign_in(gateway, "dan", given) as here, sign_in(gateway, "dan", given) as elsewhere:
        refusals = {
            ("guess", own): (422, "password_wrong"),
            (given, given): (422, "password_unfit"),
            (given, "dan's long password"): (422, "password_unfit"),
            (given, "short"): (422, "invalid_request"),
        }
        for (current, new), expected in refusals.items():
            assert code(here.put("/v1/session/password", json={"current": current, "new": new})) == expected
        assert elsewhere.get("/v1/session").status_code == 200
        assert here.put("/v1/session/password", json={"current": given, "new": own}).status_code == 204
        assert here.get("/v1/session").status_code == 200
        assert elsewhere.get("/v1/session").status_code == 401
    with sign_in(gateway, "dan", own) as here:
        assert here.get("/v1/session").status_code == 200


def test_a_password_cannot_be_guessed_through_an_open_session(gateway: Gateway, admin: httpx2.Client) -> None:
    given = make(admin, "eve", "planner")
    with sign_in(gateway, "eve", given) as found:
        guess = {"current": "guess", "new": "a sentence of mine"}
        answers = [found.put("/v1/session/password", json=guess) for _ in range(11)]
        assert [one.status_code for one in answers] == [422] * 10 + [429]
        assert found.put("/v1/session/password", json=guess | {"current": given}).status_code == 429


@pytest.mark.parametrize("username", ["Ada", "a b", "", "-x", "x" * 65, "ä", "key:1", "a/b"])
def test_a_name_that_could_be_mistaken_is_refused(admin: httpx2.Client, username: str) -> None:
    answer = admin.post("/v1/accounts", json={"username": username, "name": "X", "roles": ["planner"]})
    assert code(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "body.username"


def test_accounts_of_another_tenant_do_not_exist(gateway: Gateway, admin: httpx2.Client) -> None:
    make(admin, "gil", "planner")
    with gateway.client("admin", "globex", fresh=True) as stranger:
        assert "gil" not in listed(stranger)
        assert code(stranger.post("/v1/accounts/gil/password", json={})) == (404, "account_not_found")
        answer = stranger.put("/v1/accounts/gil", json={"name": "Gil", "roles": ["planner"], "active": False})
        assert code(answer) == (404, "account_not_found")
    assert listed(admin)["gil"]["active"]


def test_nobody_takes_the_last_administrator_away(gateway: Gateway) -> None:
    with gateway.client("admin", "globex", fresh=True) as admin:
        state = {"name": "Administrator", "roles": ["admin"]}
        for change in ({"active": False}, {"roles": ["auditor"]}):
            assert code(admin.put("/v1/accounts/admin", json=state | change)) == (409, "last_administrator")
        assert listed(admin)["admin"]["active"]
        password = make(admin, "fay", "admin")
        with sign_in(gateway, "fay", password, "globex") as fay:
            assert wait_for(both_close_the_other(admin, fay)) == [200, 409]
        assert sum(one["active"] and "admin" in one["roles"] for one in listed_of_either(gateway, password)) == 1


async def both_close_the_other(one: httpx2.Client, other: httpx2.Client) -> list[int]:
    """At the same time; what each was answered, in order of the numbers. Whom the quicker one closed is out already."""
    close_fay = asyncio.to_thread(
        one.put, "/v1/accounts/fay", json={"name": "Fay", "roles": ["admin"], "active": False}
    )
    close_admin = asyncio.to_thread(
        other.put, "/v1/accounts/admin", json={"name": "Administrator", "roles": ["admin"], "active": False}
    )
    answers = await asyncio.gather(close_fay, close_admin)
    return sorted(409 if answer.status_code == 401 else answer.status_code for answer in answers)


def listed_of_either(gateway: Gateway, password: str) -> list[dict[str, Any]]:
    """The accounts, as whichever administrator is left sees them."""
    for username, secret in (("admin", gateway.passwords["globex", "admin"]), ("fay", password)):
        with sign_in(gateway, username, secret, "globex") as client:
            answer = client.get("/v1/accounts")
            if answer.status_code == 200:
                # Which of the two is left is chance; who comes after finds the first one, alone.
                back = {"name": "Administrator", "roles": ["admin"], "active": True}
                client.put("/v1/accounts/admin", json=back)
                client.put("/v1/accounts/fay", json={"name": "Fay", "roles": ["admin"], "active": False})
                return list(answer.json()["items"])
    raise AssertionError("nobody can administer any more")


def told(gateway: Gateway, tenant: str) -> list[tuple[str, str, str, str]]:
    """What the gateway said to the audit log of accounts and keys: (type, whose, what, by whom)."""

    async def read() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(gateway.database.admin_url)
        try:
            rows = await connection.fetch(
                "select value from gateway.outbox where tenant = $1 and topic = 'accounts.v1' order by seq", tenant
            )
        finally:
            await connection.close()
        return [orjson.loads(row["value"]) for row in rows]

    return [
        (
            f"{one['name']} {','.join(one.get('roles') or one['scopes'])}",
            one["change"],
            one["changed_by"],
            one["role"],
        )
        for one in wait_for(read())
    ]


def test_every_change_is_said_to_the_audit_log_and_no_secret_is(gateway: Gateway, admin: httpx2.Client) -> None:
    before = len(told(gateway, "acme"))
    given = make(admin, "hal", "planner")
    state = {"name": "Hal", "roles": ["planner", "approver"]}
    assert admin.put("/v1/accounts/hal", json=state).status_code == 200
    assert admin.put("/v1/accounts/hal", json=state).status_code == 200  # nothing new: nothing said
    with sign_in(gateway, "hal", given) as hal:
        own = {"current": given, "new": "correct horse battery"}
        assert hal.put("/v1/session/password", json=own).status_code == 204
    assert admin.post("/v1/accounts/hal/password", json={}).status_code == 200
    assert admin.put("/v1/accounts/hal", json=state | {"active": False}).status_code == 200
    key = admin.post("/v1/api-keys", json={"name": "till", "scopes": ["read", "ingest"]}).json()
    for _ in range(2):
        assert admin.delete(f"/v1/api-keys/{key['key_id']}").status_code == 204
    assert told(gateway, "acme")[before:] == [
        ("Hal planner", "made", "admin", "admin"),
        ("Hal approver,planner", "changed", "admin", "admin"),
        ("Hal approver,planner", "password_set", "hal", "self"),
        ("Hal approver,planner", "password_renewed", "admin", "admin"),
        ("Hal approver,planner", "closed", "admin", "admin"),
        ("till ingest,read", "made", "admin", "admin"),
        ("till ingest,read", "revoked", "admin", "admin"),
    ]
    assert told(gateway, "acme")[0] == ("Planner planner", "made", "installation", "installation")


def test_change_that_is_refused_is_not_said(gateway: Gateway) -> None:
    with gateway.client("admin", "globex", fresh=True) as admin:
        before = told(gateway, "globex")
        state = {"name": "Administrator", "roles": ["auditor"]}
        assert code(admin.put("/v1/accounts/admin", json=state)) == (409, "last_administrator")
        assert told(gateway, "globex") == before
