"""People sign in at a real OpenID provider; who they are comes from its signed word, never from a name."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.platform.ports import any_free
from tests import ground
from tests.ground import Ground
from tests.integration.gateway.process import Gateway, eventually, make_gateway

pytestmark = pytest.mark.integration
GROUPS = {"buyers": "planner", "heads": "approver"}


@dataclass
class Provider:
    """A real OpenID provider in a process of its own."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.integration.gateway.identity_provider", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers, 40.0, "the provider never answered")

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=30)

    def knows(self, subject: str, **claims: Any) -> None:
        """A person it will vouch for."""
        assert httpx2.put(f"{self.url}/users/{subject}", json=claims).status_code < 300

    def forgets(self, subject: str) -> None:
        """The person left: what it gave for them is worth nothing any more."""
        assert httpx2.post(f"{self.url}/users/{subject}/revoke-tokens").status_code < 300

    def signs_out(self, subject: str, to: str, **claims: Any) -> int:
        """It tells the gateway so; what that answers."""
        asked = {"to": f"{to}/sign-on/logout", "client_id": "countersign"} | claims
        return int(httpx2.post(f"{self.url}/users/{subject}/sign-out", json=asked).json()["status"])

    def lets_in(self, asked: str, subject: str) -> str:
        """What a person's click on its page sends the browser back to."""
        answer = httpx2.post(asked, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/.well-known/openid-configuration").status_code == 200
        except httpx2.HTTPError:
            return False


@dataclass
class Door:
    """A gateway and the provider it trusts."""

    gateway: Gateway
    provider: Provider

    @contextmanager
    def browser(self) -> Iterator[httpx2.Client]:
        with httpx2.Client(base_url=self.gateway.url, timeout=20) as made:
            yield made

    def sign_in(self, browser: httpx2.Client, subject: str, *, target: str = "/queue") -> httpx2.Response:
        """Away and back; the last answer."""
        away = browser.get("/sign-on", params={"next": target})
        assert away.status_code == 303, away.text
        return browser.get(self.provider.lets_in(away.headers["location"], subject))


@pytest.fixture(scope="module")
def door(platform: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        gateway = make_gateway(platform, namespace, database, tmp_path_factory.mktemp("door"))
        provider = Provider(any_free())
        gateway.more_env |= {
            "COUNTERSIGN_PUBLIC_URL": gateway.url,
            "COUNTERSIGN_DEFAULT_TENANT": "acme",
            "COUNTERSIGN_SIGN_ON_ISSUER": provider.url,
            "COUNTERSIGN_SIGN_ON_NAME": "Acme ID",
            "COUNTERSIGN_SIGN_ON_CLIENT_ID": "countersign",
            "COUNTERSIGN_SIGN_ON_CLIENT_SECRET": "s3cret word",
            "COUNTERSIGN_SIGN_ON_ROLES": json.dumps(GROUPS),
            "COUNTERSIGN_SESSION_CACHE_SECONDS": "0",
            "COUNTERSIGN_SIGN_ON_CHECK_MINUTES": "0.03",
        }
        try:
            provider.start()
            yield Door(gateway.start(), provider)
        finally:
            gateway.stop()
            provider.stop()


def test_person_of_the_provider_gets_an_account_with_the_roles_of_their_groups(door: Door) -> None:
    door.provider.knows("u1", preferred_username="Ada", name="Ada Lovelace", groups=["buyers", "cooks"])
    with door.browser() as browser:
        assert "Sign in with Acme ID" in browser.get("/sign-in").text
        back = door.sign_in(browser, "u1", target="/queue?supplier=SUP-1")
        assert (back.status_code, back.headers["location"]) == (303, "/queue?supplier=SUP-1")
        me = browser.get("/v1/session").json()
        assert (me["subject"], me["name"], me["roles"], me["tenant"]) == ("ada", "Ada Lovelace", ["planner"], "acme")
        assert browser.get("/v1/recommendations/summary").status_code == 200


def test_groups_of_today_hold_for_old_sessions_and_without_any_they_end(door: Door) -> None:
    door.provider.knows("u2", preferred_username="bob", groups=["buyers"])
    with door.browser() as old, door.browser() as new:
        door.sign_in(old, "u2")
        door.provider.knows("u2", preferred_username="robert", groups=["heads"])
        door.sign_in(new, "u2")
        for browser in (old, new):  # another name at the provider is still the same person
            assert (browser.get("/v1/session").json()["subject"], browser.get("/v1/session").json()["roles"]) == (
                "bob",
                ["approver"],
            )
        door.provider.knows("u2", preferred_username="robert", groups=["cooks"])
        refused = door.sign_in(new, "u2")
        assert refused.status_code == 403
        assert "You have no role here" in refused.text
        assert old.get("/v1/session").status_code == 401


def test_local_account_is_never_taken_over_by_its_name(door: Door) -> None:
    door.provider.knows("u3", preferred_username="admin", groups=["buyers"])
    with door.browser() as browser:
        refused = door.sign_in(browser, "u3")
        assert refused.status_code == 409
        assert "belongs to another account" in refused.text
        assert browser.get("/v1/session").status_code == 401
    with door.gateway.client("admin", fresh=True) as admin:
        assert admin.get("/v1/session").json()["roles"] == ["admin"]


def test_closed_account_stays_closed_whatever_the_provider_says(door: Door) -> None:
    door.provider.knows("u4", preferred_username="dan", groups=["buyers"])
    with door.browser() as browser:
        door.sign_in(browser, "u4")
        with door.gateway.client("admin", fresh=True) as admin:
            state = {"name": "dan", "roles": ["planner"], "active": False}
            assert admin.put("/v1/accounts/dan", json=state).status_code == 200
        assert browser.get("/v1/session").status_code == 401
        assert "This account is closed" in door.sign_in(browser, "u4").text
        assert browser.post("/v1/session", json={"username": "dan", "password": "x"}).status_code == 401


def test_answer_that_another_browser_asked_for_opens_no_session(door: Door) -> None:
    door.provider.knows("u5", preferred_username="eve", groups=["buyers"])
    with door.browser() as mine, door.browser() as victim, door.browser() as bystander:
        away = mine.get("/sign-on")
        back = door.provider.lets_in(away.headers["location"], "u5")
        victim.get("/sign-on")  # began one of its own
        for browser in (victim, bystander):
            refused = browser.get(back)
            assert refused.status_code == 400
            assert "not one that began here" in refused.text
            assert browser.get("/v1/session").status_code == 401
        assert mine.get(back).status_code == 303
        assert mine.get(back).status_code == 400  # once


def test_broken_off_sign_on_and_a_made_up_code_are_told_in_words(door: Door) -> None:
    with door.browser() as browser:
        away = browser.get("/sign-on").headers["location"]
        denied = httpx2.post(away, data={"action": "deny"}).headers["location"]
        state = httpx2.URL(away).params["state"]
        assert "error=access_denied" in denied
        assert "broken off" in browser.get("/sign-on/back", params={"error": "access_denied", "state": state}).text
        state = httpx2.URL(browser.get("/sign-on").headers["location"]).params["state"]
        made_up = browser.get("/sign-on/back", params={"code": "guess", "state": state})
        assert made_up.status_code == 403
        assert "was not accepted" in made_up.text
        assert browser.get("/v1/session").status_code == 401


def test_another_site_is_never_where_a_sign_on_ends(door: Door) -> None:
    door.provider.knows("u6", preferred_username="fay", groups=["buyers"])
    with door.browser() as browser:
        assert door.sign_in(browser, "u6", target="https://evil.example/").headers["location"] == "/today"


def test_provider_that_is_away_leaves_local_accounts_their_way_in(platform: Ground, tmp_path: Path) -> None:
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        gateway = make_gateway(platform, namespace, database, tmp_path)
        gateway.more_env |= {
            "COUNTERSIGN_SIGN_ON_ISSUER": f"http://127.0.0.1:{any_free()}",
            "COUNTERSIGN_SIGN_ON_CLIENT_ID": "countersign",
            "COUNTERSIGN_SIGN_ON_ROLES": json.dumps(GROUPS),
        }
        gateway.start()
        try:
            with gateway.anonymous() as browser:
                away = browser.get("/sign-on")
                assert away.status_code == 503
                assert "does not answer" in away.text
            with gateway.client("planner") as planner:
                assert planner.get("/v1/session").status_code == 200
        finally:
            gateway.stop()


def test_account_of_the_provider_can_be_closed_here_and_nothing_else(door: Door) -> None:
    door.provider.knows("u7", preferred_username="gus", name="Gus", groups=["buyers"])
    with door.browser() as browser, door.gateway.client("admin", fresh=True) as admin:
        door.sign_in(browser, "u7")
        mine = {"current": "x", "new": "a sentence of mine"}
        refused = (
            admin.put("/v1/accounts/gus", json={"name": "Gus", "roles": ["admin"]}),
            admin.post("/v1/accounts/gus/password", json={}),
            browser.put("/v1/session/password", json=mine),
        )
        assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "account_of_provider")] * 3
        closed = admin.put("/v1/accounts/gus", json={"name": "Gus", "roles": ["planner"], "active": False}).json()
        assert (closed["signs_in_by"], closed["active"]) == ("provider", False)
        assert browser.get("/v1/session").status_code == 401


def test_person_who_left_is_out_as_soon_as_the_provider_is_asked_again(door: Door) -> None:
    for subject in ("u8", "u9"):
        door.provider.knows(subject, preferred_username=f"p{subject}", groups=["buyers"])
    with door.browser() as left, door.browser() as stays:
        door.sign_in(left, "u8")
        door.sign_in(stays, "u9")
        door.provider.forgets("u8")
        eventually(lambda: left.get("/v1/session").status_code == 401, 60.0, "the session outlived the person")
        assert stays.get("/v1/session").json()["roles"] == ["planner"]
        door.provider.knows("u9", preferred_username="pu9", groups=["heads"])
        eventually(lambda: stays.get("/v1/session").json().get("roles") == ["approver"], 60.0, "the old groups hold on")


def test_good_bye_of_the_provider_ends_the_sessions_of_that_person_at_once(door: Door) -> None:
    for subject in ("u10", "u11"):
        door.provider.knows(subject, preferred_username=f"p{subject}", groups=["buyers"])
    with door.browser() as one, door.browser() as two, door.browser() as other:
        for browser, subject in ((one, "u10"), (two, "u10"), (other, "u11")):
            door.sign_in(browser, subject)
        lies: tuple[dict[str, Any], ...] = (
            {"client_id": "another"},
            {"iss": "https://evil.example"},
            {"events": {}},
            {"nonce": "n"},
            {"iat": 1_000_000_000},
            {"sub": None},
        )
        for lie in lies:
            assert door.provider.signs_out("u10", door.gateway.url, **lie) == 400, lie
        assert door.provider.signs_out("u10", door.gateway.url, sid="a session of elsewhere") == 200
        assert [browser.get("/v1/session").status_code for browser in (one, two, other)] == [200] * 3
        assert door.provider.signs_out("u10", door.gateway.url) == 200
        assert [browser.get("/v1/session").status_code for browser in (one, two, other)] == [401, 401, 200]
        assert httpx2.post(f"{door.gateway.url}/sign-on/logout", data={"logout_token": "x.y.z"}).status_code == 400
        assert httpx2.post(f"{door.gateway.url}/sign-on/logout").status_code == 400
