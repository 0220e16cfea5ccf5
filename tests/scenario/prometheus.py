"""A real Prometheus that scrapes the services of a stage with the project's own configuration and alert rules."""

import json
import math
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from cli.demo_progress import wait_until
from cli.platform.ownership import Owned, spawn, tail
from cli.platform.ports import any_free
from tests.scenario.stage import Stage

OBSERVABILITY = Path(__file__).resolve().parents[2] / "deploy" / "observability"
START_SECONDS_MAX = 60.0
# Two samples make a rate; the shorter the interval, the sooner there are two.
SCRAPE_INTERVAL = "500ms"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Its HTTP API, as Grafana asks it."""

    url: str

    def get(self, path: str) -> Any:
        """The `data` of an answer. Raises AssertionError with Prometheus' own words when it refuses."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise AssertionError(f"{path}: {refusal.read().decode()}") from refusal

    def values(self, expression: str) -> list[float]:
        """What an expression is now, one number a series; a quantile of nothing (NaN) is no number."""
        found = self.get(f"/api/v1/query?query={quote(expression)}")["result"]
        numbers = [float(series["value"][1]) for series in found]
        return [number for number in numbers if not math.isnan(number)]

    def metrics(self) -> set[str]:
        """Every metric that a scraped service describes, also one that has no series yet."""
        return {row["metric"] for row in self.get("/api/v1/targets/metadata")}

    def scraped_since(self, moment: float) -> bool:
        """Whether every service was scraped, successfully, after `moment` (Unix seconds)."""
        targets = self.get("/api/v1/targets?state=active")["activeTargets"]
        return all(one["health"] == "up" and _seconds(one["lastScrape"]) > moment for one in targets)

    def await_scrape(self) -> None:
        """Wait until it has seen what the services say now."""
        asked = time.time()
        assert wait_until(lambda: self.scraped_since(asked), seconds=START_SECONDS_MAX, every=0.1), self.get(
            "/api/v1/targets?state=active"
        )


def _seconds(moment: str) -> float:
    """Unix seconds of a time as Prometheus writes it (nanoseconds, any zone); before the first scrape it is year 1."""
    zone = "+00:00" if moment.endswith("Z") else moment[-6:]
    when = datetime.fromisoformat(moment[:19] + zone)
    return 0.0 if when.year < 2000 else when.timestamp()


def configuration(stage: Stage) -> dict[str, Any]:
    """The configuration that is deployed, with the addresses of this stage in place of the compose file's."""
    config: dict[str, Any] = yaml.safe_load((OBSERVABILITY / "prometheus.yaml").read_text("utf-8"))
    config["global"] |= {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": "1s"}
    config["rule_files"] = [str(OBSERVABILITY / Path(one).name) for one in config["rule_files"]]
    for job in config["scrape_configs"]:
        for target in job["static_configs"]:
            target["targets"] = [stage.local.service(target["labels"]["service"]).url.removeprefix("http://")]
    return config


@contextmanager
def scraping(stage: Stage, folder: Path) -> Iterator[Prometheus]:
    """Prometheus for the length of the block. Skips the test where it is not installed."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed, so no expression was asked of one: apt-get install -y prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    file, log, port = folder / "prometheus.yaml", folder / "prometheus.log", any_free()
    file.write_text(yaml.safe_dump(configuration(stage)), "utf-8")
    process = spawn(
        [binary, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
        out=log,
        err=log,
        cwd=folder,
    )  # fmt: skip
    owned = Owned.of("prometheus", process.pid, port)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        assert wait_until(lambda: _is_ready(server.url), seconds=START_SECONDS_MAX, every=0.1), tail(log)
        server.await_scrape()
        yield server
    finally:
        owned.stop(grace_seconds=10)
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
