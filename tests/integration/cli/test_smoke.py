"""The main job end to end, as a newcomer types it: `./run demo --smoke --json` in an empty folder on free ports."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from cli.local import PORT_FIELDS, ROOT
from cli.platform.ports import any_free

pytestmark = pytest.mark.scenario
# The cold run on two shared cores, with room: past this something hangs.
SECONDS_MAX = 900


@pytest.mark.timeout(SECONDS_MAX + 60)
def test_smoke_run_ends_well_and_leaves_nothing_running() -> None:
    configured = ("COUNTERSIGN_KAFKA_BOOTSTRAP", "COUNTERSIGN_DATABASE_ADMIN_URL")
    environment = {key: value for key, value in os.environ.items() if key not in configured}
    environment |= {f"COUNTERSIGN_{field.upper()}": str(any_free()) for field in PORT_FIELDS}
    with tempfile.TemporaryDirectory(prefix="countersign-smoke-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        environment["COUNTERSIGN_DATA_DIR"] = str(folder / "data")
        done = subprocess.run(
            [str(ROOT / "run"), "demo", "--smoke", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        logs = "\n".join(
            f"{p.name}: {p.read_text()[-1500:]}" for p in sorted((folder / "data/logs").glob("*.stderr.log"))
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
        facts = json.loads(done.stdout)
        assert facts["events_in"] > 0
        assert facts["items_forecast"] > 0
        assert facts["orders_seen_by_consumer"] >= 1
        assert facts["audit"]["entries_verified"] > 0
        assert list((folder / "data/run").glob("*.pid.json")) == []
