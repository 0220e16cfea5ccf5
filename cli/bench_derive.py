"""`./run bench derive`: a tenant planned by the running service, and every recommendation computed again from its audit log alone."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from cli import output
from cli.errors import Exit
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely
from lab.bench import derive_log
from lab.bench.machine import describe
from lab.bench.running import Seat

# What holds of any number of items; fewer than asked for is a smaller measurement, and no failure.
ALWAYS = ("share", "are_all_published", "log_is_verified")


def measure(local: LocalPlatform, items: int | None, *, as_json: bool) -> None:
    """Start policy and audit, plan, export, stop everything, derive. Ends with an error where not all derive."""
    result: dict[str, Any] = {"machine": describe(), "load_average": round(psutil.getloadavg()[0], 2)}
    with TemporaryDirectory(prefix="countersign-bench-") as name, ending_politely():
        try:
            local.start(("policy", "audit"))
            urls = {name: local.service(name).url for name in ("policy", "audit")}
            seat = Seat(urls, local.database.url, local.data_dir)
            result |= derive_log.plan_and_export(seat, Path(name), items or derive_log.ITEMS, output.say)
        finally:
            if local.started:
                local.stop_started()
        output.say("everything is stopped; deriving all of it again from the exported log")
        result |= derive_log.derived(Path(result.pop("log")), result["published"])
    result["targets"] = verdicts(result)
    if as_json:
        output.result(result)
    else:
        output.line(
            f"{result['agree']:,} of {result['recommendations']:,} recommendations of {result['items']:,} item-locations"
            f" derived again byte for byte from {result['log_mb']:,} MB of audit log in {result['seconds']} s"
        )
    if not all(result["targets"][name]["met"] for name in ALWAYS):
        raise SystemExit(Exit.FAILURE)


def verdicts(result: dict[str, Any]) -> dict[str, Any]:
    """Each target with its figure and whether it was met: enough of them, all of them, out of the whole signed log."""
    targets = derive_log.TARGETS | {"are_all_published": True, "log_is_verified": True}
    return {
        name: {"figure": result[name], "target": target, "met": result[name] >= target}
        for name, target in targets.items()
    }


def folder_of(data_dir: Path | None) -> Path:
    """A folder of its own, so that nothing else is disturbed."""
    return data_dir or Path(".countersign-bench-derive")
