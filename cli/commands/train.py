"""`train`: train the forecast models of a running system now, and wait for what the rules or a person make of it."""

import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import demo_access, output
from cli.demo_access import plain_refusals
from cli.errors import Trouble
from cli.local import load
from cli.options import AsJson, DataDir
from countersign_client import Client

app = typer.Typer(add_completion=False)
POLL_SECONDS = 1.0
OVER = ("done", "failed")
Url = Annotated[str | None, typer.Option("--url", help="Address of a gateway; none: the local one.")]
Key = Annotated[
    str | None,
    typer.Option("--api-key", envvar="COUNTERSIGN_API_KEY", help="API key with the scope `plan`; none: the demo's."),
]


@app.command()
def train(
    data_dir: DataDir = None,
    url: Url = None,
    api_key: Key = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Queue it and return.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train the forecast models now: a job of the forecaster, judged by its rules, resumed if its process dies.

    \b
    Examples:
      ./run train
      ./run train --json
      ./run train --url https://countersign.example.com --api-key cs_...
    """
    with plain_refusals(), _client(data_dir, url, api_key) as client:
        job = client.train()
        output.say(f"training {job['job_id']} is {job['state']}")
        if not no_wait:
            job = _wait(client, job["job_id"])
        told = client.get("/v1/training/promotions")["items"] if job["state"] == "done" else []
    verdict = next((line for line in told if line["model_id"] == job.get("model_id")), None)
    if job["state"] == "failed":
        raise Trouble(
            "training_failed",
            "The training failed; the model that speaks goes on speaking.",
            why=str(job["error"]),
            way_out="the forecaster's log has more; with too little history, come back when more days are closed",
        )
    if as_json:
        output.result({"job": job, "verdict": verdict})
    elif verdict is not None:
        output.done(f"{verdict['model_id']}: {verdict['verdict'].replace('_', ' ')} · {verdict['reason']}")
    else:
        output.done(f"training {job['job_id']} is {job['state']}")


def _wait(client: Client, job_id: str) -> dict[str, Any]:
    """Until the job is over, telling each stage once."""
    stage, pause, started = "", threading.Event(), time.monotonic()
    while True:
        job: dict[str, Any] = client.get("/v1/training")["state"]["last_job"]
        if job["job_id"] != job_id or job["state"] in OVER:
            return job
        if job["stage"] != stage:
            stage = job["stage"]
            output.say(f"{time.monotonic() - started:5.0f} s  {stage} ({job['share']:.0%})")
        pause.wait(POLL_SECONDS)


def _client(data_dir: Path | None, url: str | None, api_key: str | None) -> Client:
    local = load(data_dir)
    key = api_key or demo_access.load(local.folder).api_key
    return Client(url or f"http://127.0.0.1:{local.gateway_port}", api_key=key)
