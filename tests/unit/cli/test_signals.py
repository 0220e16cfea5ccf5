"""Whenever Ctrl-C comes, what was started is stopped; what whoever called us has ignored stays ignored."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from cli.local import LocalSettings
from cli.platform.local import LocalPlatform
from cli.platform.ownership import Ledger, Owned
from cli.signals import ending_politely, hears

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SLEEPER = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture(autouse=True)
def in_a_terminal() -> Iterator[None]:
    """Ctrl-C is heard here, also where these tests were started in the background."""
    before = {number: signal.getsignal(number) for number in ENDING}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupted(work: Callable[[], object], when: Callable[[], object]) -> None:
    """Ctrl-C as soon as `when` returns, while `work` is done or just after."""

    def come() -> None:
        when()
        os.kill(os.getpid(), signal.SIGINT)

    coming = threading.Thread(target=come)

    def work_on() -> None:
        coming.start()
        work()
        for _ in range(100):  # looked at between waits: one that comes while a thread switches does not end a wait
            threading.Event().wait(0.1)

    with pytest.raises(KeyboardInterrupt):
        work_on()
    coming.join()


def test_what_the_caller_ignores_stays_ignored_and_the_rest_ends_like_ctrl_c() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script's shell does to what it starts in the background
    with ending_politely():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)
        assert (hears(signal.SIGHUP), hears(signal.SIGINT), hears(signal.SIGTERM)) == (False, False, True)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_what_is_started_at_the_moment_of_ctrl_c_is_known_and_can_be_stopped(tmp_path: Path) -> None:
    ledger, chance = Ledger(tmp_path / "run"), random.Random(7)
    before = {child.pid for child in psutil.Process().children()}
    for number in range(60):
        interrupted(
            partial(ledger.start, f"s{number}", SLEEPER, port=1, out=tmp_path / "log"),
            partial(time.sleep, chance.uniform(0, 0.004)),
        )
    started = {child.pid for child in psutil.Process().children()} - before
    known = [owned for name in ledger.names() if (owned := ledger.find(name)) is not None]
    for pid in started:
        Owned.of("stray", pid).kill()
    assert started == {owned.pid for owned in known}
    assert started  # it came late enough for some of them


def test_a_second_ctrl_c_kills_what_is_waited_for_and_stops_the_rest(tmp_path: Path) -> None:
    local = LocalPlatform(LocalSettings(data_dir=tmp_path / "data"), lambda _: None)
    local.folder.claim()
    log = tmp_path / "log"
    parts = [local.ledger.start(name, STUBBORN, port=1, out=log)[0] for name in ("policy", "audit")]
    broker, _ = local.ledger.start("kafka", SLEEPER, port=1, out=log)
    while log.read_text().count("up") < 3:
        time.sleep(0.01)
    interrupted(local.stop_all, partial(time.sleep, 0.3))
    assert not any(one.is_alive for one in [*parts, broker])
    assert local.ledger.names() == []
