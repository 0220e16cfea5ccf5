"""The chaos world tells the same story for the same seed; a history is read as it was written; failpoints end a process."""

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from kit import failpoints
from lab.chaos.faults import FAULTS, clocks
from lab.chaos.faults.scene import Skipped
from lab.chaos.history import History, read
from lab.chaos.world import TENANTS, Shop
from schemas.registry import MESSAGES

ROOT = Path(__file__).resolve().parents[3]
# RELIABILITY's matrix: what this run has to bring, whatever it calls it; 32 is the replay at the end.
ROWS = {*range(1, 34)} - {32}
DAY_SECONDS = 86_400.0


def test_the_same_seed_tells_the_same_story() -> None:
    def told(seed: int) -> list[object]:
        shop = Shop("acme", seed)
        return [*shop.master_data(), *shop.past(), *shop.till(50), *shop.warehouse(50), *shop.next_day()]

    assert told(4) == told(4)
    assert told(4) != told(5)


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_event_is_in_the_contract_and_has_an_id_of_its_own(tenant: str) -> None:
    shop = Shop(tenant, 1)
    told = [*shop.master_data(), *shop.past(), *shop.till(300), *shop.warehouse(300), *shop.next_day()]
    assert max(Counter((one.source, one.id) for one in told).values()) == 1
    for one in told:
        MESSAGES[one.type].model_validate(one.data)
        assert all(str(one.data.get(code, tenant)).startswith(tenant) for code in ("sku", "location", "supplier"))


def test_voids_and_returns_never_meet_a_count() -> None:
    shop = Shop("acme", 2)
    for one in shop.till(2000):
        assert one.type == "sale.recorded.v1" or one.data["sku"] != shop.counted_sku


def test_a_history_is_read_as_it_was_written_without_a_torn_last_line(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    written = [history.add("till", kind, "record", [["pos", "1"]]) for kind in ("invoke", "info", "ok")]
    history.close()
    with history.path.open("a") as file:
        file.write('{"index": 3, "ti')
    assert read(history.path) == written


def test_the_faults_bring_every_row_of_the_matrix() -> None:
    assert {fault.row for fault in FAULTS.values()} >= ROWS


def test_the_page_names_every_row_and_every_fault_with_a_way_to_run_it() -> None:
    page = (ROOT / "docs/faults.md").read_text("utf-8")
    told: dict[str, set[int]] = {}
    rows: set[int] = set()
    for numbers, names, _how, tests in re.findall(
        r"^\| (\d[\d, ]*) \| (.*?) \| (.*?) \| (.*?) \|$", page, re.MULTILINE
    ):
        mine = {int(number) for number in numbers.split(",")}
        rows |= mine
        found = re.findall(r"`([\w-]+)`", names)
        assert found or "::test_" in tests, f"row {numbers} is neither a fault nor a test"
        told |= dict.fromkeys(found, mine)
    assert rows == set(range(1, 36))
    assert told.keys() == {*FAULTS, "replay"}
    assert [name for name, fault in FAULTS.items() if fault.row not in told[name]] == []


def test_the_page_of_threats_names_every_row_and_a_test_of_each() -> None:
    page = (ROOT / "docs/threats.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (\d+) \|(.*)\|$", page, re.MULTILINE))
    assert [int(number) for number in rows] == list(range(1, 31))
    assert [number for number, row in rows.items() if "::test_" not in row] == []


def run_with(fail_at: str, passes: int) -> subprocess.CompletedProcess[str]:
    code = f"from kit.failpoints import reach\nfor n in range({passes}): reach('relay.sent'); print(n)"
    return subprocess.run(
        [sys.executable, "-u", "-c", code],
        cwd=ROOT,
        env={"FAIL_AT": fail_at},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_failpoint_ends_the_process_at_its_nth_pass() -> None:
    ended = run_with("relay.sent:3", 5)
    assert (ended.returncode, ended.stdout.split()) == (failpoints.EXIT_CODE, ["0", "1"])


def test_without_a_failpoint_or_at_another_nothing_happens() -> None:
    for fail_at in ("", "relay.marked:1"):
        ended = run_with(fail_at, 2)
        assert (ended.returncode, ended.stdout.split()) == (0, ["0", "1"])


def test_a_failpoint_nobody_knows_is_refused() -> None:
    assert "needs name:n" in run_with("nowhere:1", 1).stderr


def test_every_failpoint_is_somewhere_in_the_code() -> None:
    sources = "\n".join(path.read_text("utf-8") for room in ("kit", "services") for path in (ROOT / room).rglob("*.py"))
    assert [name for name in failpoints.POINTS if f'reach("{name}")' not in sources] == []


def test_the_clock_under_a_process_jumps_while_it_runs_and_its_steady_clock_does_not(tmp_path: Path) -> None:
    told = tmp_path / "clock"
    try:
        follows = clocks.environment(told)
    except Skipped as reason:
        pytest.skip(str(reason))
    clocks.jump(told, clocks.RIGHT)
    code = "import time\nfor _ in iter(input, 'end'): print(time.time(), time.monotonic())"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], env=follows, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def look() -> tuple[float, float]:
            """How far its clocks are ahead of ours, in seconds."""
            asks.write("look\n")
            asks.flush()
            wall, steady = map(float, answers.readline().split())
            return wall - time.time(), steady - time.monotonic()

        before = look()
        clocks.jump(told, "-1d")
        deadline = time.monotonic() + 40.0
        while (after := look())[0] > -DAY_SECONDS / 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        asks.write("end\n")
    assert abs(before[0]) < 5.0
    assert abs(after[0] + DAY_SECONDS) < 5.0
    assert abs(after[1]) < 5.0
