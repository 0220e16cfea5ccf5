"""The n8n workflows of deploy/n8n, performed call by call from their very files against the running services."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.demo_progress import wait_until
from tests.scenario.stage import Stage

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

FOLDER = Path(__file__).parents[2] / "deploy" / "n8n"
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
EXPRESSION = re.compile(r"\{\{\s*(.+?)\s*\}\}")
STEP = re.compile(r"\.(\w+)|\[(\d+)\]|\['([^']+)'\]")


class Workflow:
    """As much of n8n as these files use: named nodes, expressions that walk to a value, HTTP requests, an if."""

    def __init__(self, name: str, url: str, secret: str) -> None:
        document = json.loads((FOLDER / name).read_text())
        self.nodes = {node["name"]: node for node in document["nodes"]}
        self.connections = document["connections"]
        self.said: dict[str, Any] = {}
        self.url = url
        self.headers = {"authorization": f"Bearer {secret}"}
        self.json: Any = {}

    def value(self, text: str) -> str:
        """A parameter with its expressions resolved."""
        return EXPRESSION.sub(lambda found: str(self._walk(found[1])), text.removeprefix("="))

    def _walk(self, expression: str) -> Any:
        if expression == "$env.COUNTERSIGN_URL":
            return self.url
        named = re.match(r"\$\('([^']+)'\)\.item\.json", expression)
        value = self.said[named[1]] if named else self.json
        rest = expression[named.end() :] if named else expression.removeprefix("$json")
        for name, index, key in STEP.findall(rest):
            value = value[int(index)] if index else value[name or key]
        return value

    def give(self, node: str, output: Any) -> None:
        """What a trigger or a person put into the flow."""
        self.said[node] = self.json = output

    def run(self, node: str) -> httpx2.Response:
        """Perform one HTTP node."""
        p = self.nodes[node]["parameters"]
        headers = {one["name"]: self.value(one["value"]) for one in p.get("headerParameters", {}).get("parameters", [])}
        body = json.loads(self.value(p["jsonBody"])) if "jsonBody" in p else None
        with httpx2.Client(headers=self.headers, timeout=30) as http:
            answer = http.request(p["method"], self.value(p["url"]), json=body, headers=headers)
        self.said[node] = self.json = answer.json()
        return answer

    def decide(self, node: str) -> str:
        """The node an if leads to now."""
        (condition,) = self.nodes[node]["parameters"]["conditions"]["conditions"]
        holds = self.value(condition["leftValue"]) == condition["rightValue"]
        following: str = self.connections[node]["main"][0 if holds else 1][0]["node"]
        return following


@pytest.fixture(scope="module")
def secret(stage: Stage) -> str:
    admin = stage.access.person(stage.local.gateway_url, "admin")
    try:
        made = admin.post("/v1/api-keys", {"name": "n8n", "scopes": ["read", "plan", "decide"]})
    finally:
        admin.close()
    return str(made["secret"])


@pytest.mark.parametrize("name", FILES)
def test_every_connection_leads_to_a_node_and_every_node_is_reached(name: str) -> None:
    document = json.loads((FOLDER / name).read_text())
    names = {node["name"] for node in document["nodes"]}
    targets = {to["node"] for outs in document["connections"].values() for out in outs["main"] for to in out}
    assert set(document["connections"]) <= names
    assert names - targets == {document["nodes"][0]["name"]}, "only the trigger is reached by nothing"
    assert document["active"] is False, "whoever imports it switches it on"


def test_daily_run_plans_waits_and_reads_what_waits(stage: Stage, secret: str) -> None:
    flow = Workflow("daily-planning.json", stage.local.gateway_url, secret)
    assert flow.run("Start the plan").status_code == 202

    def is_done() -> bool:
        flow.run("Read the runs")
        return flow.decide("Is it done?") == "What waits"

    assert wait_until(is_done, seconds=60)
    assert "waiting" in flow.run("What waits").json()


def test_approval_loop_decides_once_with_the_version_the_person_saw(stage: Stage, secret: str) -> None:
    lines = stage.planner.get("/v1/recommendations", status="pending", limit=2)["items"]
    assert len(lines) == 2, "the tiny world leaves lines to people"
    for line, verdict in zip(lines, ("approve", "reject"), strict=True):
        flow = Workflow("approval-loop.json", stage.local.gateway_url, secret)
        told = {"recommendation_id": line["recommendation_id"]}
        flow.give("Line assigned", {"headers": {"webhook-id": str(uuid.uuid4())}, "body": {"data": told}})
        assert flow.run("Read the line").status_code == 200
        flow.give("Ask a person", {"verdict": verdict, "reason": "not_needed"})
        chosen = flow.decide("Approve?")
        assert chosen == verdict.capitalize()
        answer = flow.run(chosen)
        assert answer.status_code == 200, answer.text
        again = flow.run(chosen)
        assert (again.status_code, again.json()["decision_id"]) == (200, answer.json()["decision_id"]), (
            "asked twice, decided once"
        )
    stale = Workflow("approval-loop.json", stage.local.gateway_url, secret)
    stale.give("Line assigned", {"headers": {"webhook-id": str(uuid.uuid4())}, "body": {"data": told}})
    stale.run("Read the line")
    stale.give("Ask a person", {"verdict": "reject", "reason": "not_needed"})
    assert stale.run("Reject").status_code == 409, "it is decided already, and the loop is told so"
