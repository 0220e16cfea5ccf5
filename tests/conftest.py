"""Fixtures every test may ask for: a real Kafka and PostgreSQL, a fresh corner of them, and services as processes."""

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import hypothesis
import pytest

from tests import containers, ground
from tests.ground import FreshDatabase, Ground, Services

# After this long without a finished test, say which ones run: a suite must never be silent for minutes.
HEARTBEAT_SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[1]
# The rooms whose tests need servers or a browser; each test there is marked with its room's name.
NEEDY_ROOMS = frozenset({"integration", "scenario", "browser"})
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# A loaded machine is no reason to fail an invariant, so no example has a deadline. `quick` looks at fewer examples.
hypothesis.settings.register_profile("thorough", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("thorough"), max_examples=10)
hypothesis.settings.load_profile("thorough")


def pytest_configure(config: pytest.Config) -> None:
    """In the controller, before any worker starts: choose the folder all of them share."""
    if not hasattr(config, "workerinput"):
        ground.prepare()
        config.pluginmanager.register(Heartbeat(config), "heartbeat")


def pytest_unconfigure(config: pytest.Config) -> None:
    """In the controller, after every worker has ended: stop what the session started."""
    if not hasattr(config, "workerinput"):
        ground.clear()


@pytest.fixture(scope="session")
def platform() -> Iterator[Ground]:
    """A real Kafka and a real PostgreSQL: containers when asked for, the configured ones, or embedded ones."""
    if containers.wanted():
        with containers.running() as ground_in_containers:
            yield ground_in_containers
    else:
        yield Ground.find()


@pytest.fixture
def namespace(platform: Ground) -> Iterator[str]:
    """A prefix for topics and groups that nobody else uses; its topics exist."""
    with ground.fresh_namespace(platform) as fresh:
        yield fresh


@pytest.fixture
def database(platform: Ground) -> Iterator[FreshDatabase]:
    """A database that nobody else uses. `database.url(service)` is a service's address, its schema migrated."""
    with ground.fresh_database(platform) as fresh:
        yield fresh


@pytest.fixture
def service_process(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> Iterator[Services]:
    """Starts real services: `service_process("policy")` is ready when it returns, and is killed after the test."""
    services = Services(platform, namespace, database, tmp_path)
    yield services
    services.end()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Skip, with a sentence, what this machine cannot run."""
    for item in items:
        room = item.path.relative_to(ROOT).parts[1] if item.path.is_relative_to(ROOT) else ""
        if room in NEEDY_ROOMS:
            item.add_marker(room)
    browser_missing = not any(shutil.which(name) for name in BROWSERS)
    contained = containers.wanted()
    for item in items:
        if item.get_closest_marker("browser") and browser_missing:
            item.add_marker(pytest.mark.skip(reason="no Chromium here: apt-get install -y chromium fonts-dejavu-core"))
        if item.get_closest_marker("containers") and not contained:
            item.add_marker(pytest.mark.skip(reason="COUNTERSIGN_TEST_CONTAINERS=1 and a container engine are needed"))


class Heartbeat:
    """Says which tests run when none has ended for a while."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._running: dict[str, float] = {}
        self._last = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def pytest_sessionstart(self) -> None:
        self._thread.start()

    def pytest_sessionfinish(self) -> None:
        self._over.set()
        self._thread.join()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._running.pop(nodeid, None)
        self._last = time.monotonic()

    def _beat(self) -> None:
        while not self._over.wait(1.0):
            now = time.monotonic()
            if now - self._last < HEARTBEAT_SECONDS:
                continue
            self._last = now
            names = [f"{nodeid} ({now - since:.0f} s)" for nodeid, since in list(self._running.items())]
            terminal = self._config.pluginmanager.get_plugin("terminalreporter")
            if terminal is not None and names:
                terminal.write_line(f"… still running: {', '.join(names)}")
