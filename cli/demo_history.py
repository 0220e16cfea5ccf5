"""The demo's past, made present: history fed, absorbed by every service, a model trained, everything planned.

Each step is waited for by what the services say of themselves, and is repeated harmlessly: ids follow from what happened.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from cli.demo_progress import Stages, wait_until
from cli.errors import Trouble
from cli.platform.databases import SERVICES
from cli.platform.local import LocalPlatform
from countersign_client import Client
from kit.settings import ServiceSettings
from lab.world.build import World
from lab.world.story import history, master_data
from lab.world.wire import feed

# Two cores absorb a year in about a minute; ten times that means that something is wrong and worth saying.
ABSORB_SECONDS_MAX = 900.0
TRAIN_SECONDS_MAX = 900.0
PLAN_SECONDS_MAX = 600.0
# How often in a row everything must be still: what one service has just published is another's next backlog.
STILL_LOOKS = 4


@dataclass(slots=True)
class Progress:
    """What has been done for this world in this data folder, so that a second start does not do it again."""

    file: Path
    fed: dict[str, int]
    planned: bool

    @classmethod
    def load(cls, data_dir: Path, fingerprint: str) -> "Progress":
        """What was noted; nothing for a world that was not fed here."""
        file = data_dir / "demo" / f"progress-{fingerprint}.json"
        try:
            noted = json.loads(file.read_text())
            return cls(file, noted["fed"], noted["planned"])
        except (OSError, ValueError, KeyError):
            return cls(file, {}, False)

    def save(self) -> None:
        """Note it, whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps({"fed": self.fed, "planned": self.planned}))
        partial.replace(self.file)


def feed_history(local: LocalPlatform, world: World, progress: Progress, stages: Stages) -> None:
    """Publish master data and history, unless that was done; counts are noted in `progress`."""
    if progress.fed:
        return
    with stages.stage("feed", f"feeding real receipts of {world.shape.history_days} days") as tell:
        settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
        events = chain(master_data(world), history(world))
        progress.fed = asyncio.run(feed(settings, events, lambda count: tell(f"{count:,} records")))
    progress.save()


def absorb(
    local: LocalPlatform,
    client: Client,
    stages: Stages,
    *,
    forecasts_too: bool = True,
    seconds: float = ABSORB_SECONDS_MAX,
) -> None:
    """Wait until every service has handled everything on its topics, and forecast and published all that was due.

    Raises Trouble: not_absorbed, service_ended.
    """
    with stages.stage("absorb", "waiting until all services have caught up") as tell:
        still = 0

        def is_still() -> bool:
            nonlocal still
            waiting = {name: behind(local, name) for name in SERVICES}
            if forecasts_too and None not in waiting.values():
                waiting["forecasts"] = int(client.get("/v1/training")["state"]["due"])
            tell(
                " · ".join(f"{name} {'…' if count is None else f'{count:,}'}" for name, count in waiting.items())
                + " behind"
            )
            still = still + 1 if all(count == 0 for count in waiting.values()) else 0
            return still >= STILL_LOOKS

        if not wait_until(is_still, seconds=seconds):
            raise Trouble(
                "not_absorbed",
                f"The services have not caught up within {seconds:.0f} s.",
                why=", ".join(f"{name} is {behind(local, name)} behind" for name in SERVICES),
                way_out=f"`./run status` shows who is behind; its log is in {local.folder.logs}",
            )
        tell("nothing waits")


def behind(local: LocalPlatform, name: str) -> int | None:
    """Records a service has not handled or not published yet; None while it does not know."""
    service = local.service(name)
    ready, facts = service.readiness()
    if not ready:
        if service.running() is None:
            raise service.ended()
        return None
    checks: dict[str, Any] = facts["checks"]
    handled = checks.get("consumer", {"lag": 0})["lag"]
    published = checks.get("relay", {}).get("waiting") or 0
    return None if handled is None else int(handled) + int(published)


def train(client: Client, stages: Stages) -> dict[str, Any]:
    """Have a model trained unless one is in charge; returns it. Raises Trouble: not_trained."""
    with stages.stage("train", "training the forecasting model") as tell:
        model = champion(client)
        if model is None:
            client.train()
            started = time.monotonic()

            def is_there() -> bool:
                tell(f"{time.monotonic() - started:.0f} s")
                return champion(client) is not None

            wait_until(is_there, seconds=TRAIN_SECONDS_MAX)
            model = champion(client)
        if model is None:
            raise Trouble(
                "not_trained",
                f"No forecasting model is in charge after {TRAIN_SECONDS_MAX:.0f} s.",
                why=json.dumps(client.get("/v1/training"))[:600],
                way_out="read forecaster.jsonl in the logs folder; then run the same command again",
            )
        tell(str(model.get("model_id")))
    return model


def champion(client: Client) -> dict[str, Any] | None:
    """The model that is in charge, or None."""
    models: list[dict[str, Any]] = client.get("/v1/training")["models"]
    return next((model for model in models if model["state"] == "champion"), None)


def plan(client: Client, stages: Stages) -> dict[str, Any]:
    """Plan everything once and wait for the run's end; returns the run. Raises Trouble: not_planned."""
    with stages.stage("plan", "planning every item") as tell:
        run_id = client.plan()["run_id"]
        found: dict[str, Any] = {}

        def is_finished() -> bool:
            nonlocal found
            found = next((run for run in client.planning_runs() if run["run_id"] == run_id), {})
            tell(f"{found.get('items') or 0:,} items")
            return found.get("finished_at") is not None

        if not wait_until(is_finished, seconds=PLAN_SECONDS_MAX):
            raise Trouble(
                "not_planned",
                f"The planning run {run_id} has not ended within {PLAN_SECONDS_MAX:.0f} s.",
                why=json.dumps(found),
                way_out="read policy.jsonl in the logs folder; then run the same command again",
            )
    return found
