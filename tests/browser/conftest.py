"""A real Chromium before real services, and a page that remembers what went wrong in it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect, sync_playwright

from tests import ground
from tests.browser.stage import NEWCOMER, TENANT, Stage, set_up
from tests.conftest import BROWSERS
from tests.ground import Ground

# A condition is awaited for this long: on two cores, with other tests beside, an answer may take its time.
expect.set_options(timeout=20_000)
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def stage(platform: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Five services and a queue of forty lines, once for all browser tests."""
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        made = set_up(platform, namespace, database, tmp_path_factory.mktemp("stage"))
        try:
            yield made
        finally:
            made.services.end()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine (tests are skipped, with a sentence, where there is none).

    Not for the whole session: while Playwright's synchronous side is open, no other test can run an event loop.
    """
    path = next(found for name in BROWSERS if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Held:
    """Requests whose answers are kept back until `let_go`."""

    def __init__(self, context: BrowserContext, pattern: str) -> None:
        self.waiting: list[Route] = []
        self._is_held = True
        context.route(pattern, self._meet)

    def _meet(self, route: Route) -> None:
        if self._is_held:
            self.waiting.append(route)
        else:
            route.continue_()

    def let_go(self) -> None:
        """Answer what waits; nothing is kept back from here on."""
        self._is_held = False
        for route in self.waiting:
            route.continue_()


@dataclass
class Seat:
    """Somebody before the workbench."""

    stage: Stage
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """A new page whose errors are remembered."""
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.goto(self.stage.url + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        # Chromium reports every refused request as an error of its own; a refusal the page handles is not one.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"{message.location.get('url')}: {message.text}")

    def sign_in(self, username: str, tenant: str = TENANT) -> None:
        """By the API, as the sign-in page does."""
        passwords = self.stage.newcomers if tenant == NEWCOMER else self.stage.passwords
        body = {"username": username, "password": passwords[username], "tenant": tenant}
        url = f"{self.stage.url}/v1/session"
        answer = self.context.request.post(url, data=json.dumps(body), headers={"Content-Type": "application/json"})
        assert answer.ok, answer.text()


@pytest.fixture
def seat(stage: Stage, chromium: Browser) -> Iterator[Seat]:
    """A fresh browser profile, nobody signed in. The test fails when a page logged an error."""
    context = chromium.new_context(
        viewport={"width": 1480, "height": 900}, locale="en-GB", timezone_id="America/Chicago", reduced_motion="reduce"
    )
    context.set_default_timeout(20_000)
    made = Seat(stage, context)
    yield made
    context.close()
    assert made.complaints == []


@pytest.fixture
def planner(seat: Seat) -> Seat:
    """Signed in as planner."""
    seat.sign_in("planner")
    return seat
