"""Whatever is sent to any operation of the API, it is answered, as the description says, and never with a 5xx."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.demo_progress import wait_until
from countersign_client import ApiProblem
from services.gateway.domain.access import ROUTES
from tests.scenario.stage import TENANT, Stage

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

SECONDS = 60
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"
# Without an end, or the end of the very session that asks.
LEFT_OUT = {
    "GET /v1/stream": "never ends",
    "POST /v1/session": "is limited to a few tries",
    "DELETE /v1/session": "signs the fuzzer out",
    "PUT /v1/session/seat": "takes the fuzzer's own rights away",
    "PUT /v1/session/password": "is limited to a few tries, of sign-ins too",
}
# Operations whose answer to most of what fits their schema is a refusal by rule or by state: rules between fields and
# steps of a life cycle are not said in JSON Schema. They are fuzzed like all others; only this warning is not a failure.
CURSOR = "a cursor is made by the page before"
REFUSES_BY_RULE = {
    **{
        f"GET /v1/{name}": CURSOR
        for name in (
            "dead-letters",
            "exceptions",
            "forecasts",
            "items",
            "orders",
            "parked",
            "positions",
            "recommendations",
            "audit/entries",
            "overrides",
        )
    },
    "GET /v1/items/{sku}/{location}": "a recommendation_id is one of ours",
    "GET /v1/items/{sku}/{location}/as-of": "a moment has passed, and something had happened by then",
    "POST /v1/approval-matrix/proposals": "a matrix must cover all values, by rules between its rows",
    "POST /v1/approval-matrix/proposals/{proposal_id}/approve": "nobody approves what was not proposed",
    "POST /v1/approval-matrix/proposals/{proposal_id}/end": "nothing is proposed",
    "GET /v1/scenarios/{signal_id}/lines": "there is no signal",
    "POST /v1/scenarios/{signal_id}/without": "there is no signal",
    "POST /v1/policy/preview": "only names of parameters with sensible values pass",
    "POST /v1/policy/proposals": "the same",
    "POST /v1/policy/proposals/{proposal_id}/approve": "nobody approves what was not proposed",
    "POST /v1/policy/proposals/{proposal_id}/end": "nothing is proposed",
    "POST /v1/backtests": "fields depend on each other, and one runs at a time",
    "POST /v1/backtests/{backtest_id}/cancel": "nothing runs",
    "GET /v1/backtests/{backtest_id}": "there is none",
    "POST /v1/dead-letters/{service}/{letter_id}/correction": "no letter waits",
    "GET /v1/dead-letters/{service}/{letter_id}": "no letter waits",
    "POST /v1/aliases": "code and target differ, and a GTIN has a check digit",
    "POST /v1/decisions:bulk": "what a verdict needs depends on the verdict; and the Idempotency-Key is used once",
    "POST /v1/delegations": "the end lies behind the beginning, and deputies exist",
    "POST /v1/epcis/capture": "an EPCIS document is described by GS1, not here",
    "POST /v1/events": "an event is described by x-events",
    "POST /v1/orders/{order_id}/cancel": "nothing is ordered",
    "GET /v1/orders/{order_id}": "nothing is ordered",
    "GET /v1/orders/{order_id}/document": "nothing is ordered",
    "POST /v1/orders:reconcile": "the end of a time lies behind its beginning",
    "POST /v1/order-answers": "an answer is described by X12 and UBL, not here",
    "POST /v1/mentions/{comment_id}/seen": "nobody was named",
    "POST /v1/overrides": "the days lie ahead, and items exist",
    "GET /v1/overrides/{override_id}": "there is none",
    "POST /v1/overrides/{override_id}/withdrawal": "there is none",
    "POST /v1/parked:drop": "nothing waits",
    "POST /v1/parked:release": "nothing waits",
    "POST /v1/planning-runs": "locations exist and days are closed",
    "POST /v1/recommendations/{recommendation_id}/comments": "a comment says something: not blanks alone",
    "POST /v1/recommendations/{recommendation_id}/decisions": "what a verdict needs depends on the verdict",
    "POST /v1/recommendations/{recommendation_id}/undo": "nothing is decided",
    "GET /v1/recommendations/{recommendation_id}/rationale": "no language model is configured",
    "POST /v1/strategy-pins": "items exist, and not every strategy can be pinned",
    "POST /v1/strategy-pins/{pin_id}/withdrawal": "there is none",
    "POST /v1/training/models/{model_id}/decision": "no model waits for a decision",
    "POST /v1/whatif": "items exist",
    "POST /v1/webhooks": "an address leads to a public network",
    "DELETE /v1/webhooks/{webhook_id}": "there is none",
    "POST /v1/webhooks/{webhook_id}/secret": "there is none",
    "GET /v1/webhooks/{webhook_id}/deliveries": "there is none",
    "POST /v1/webhooks/{webhook_id}/deliveries/{notice_id}/again": "there is none",
    "PUT /v1/accounts/{username}": "there is none by this name",
    "POST /v1/accounts/{username}/password": "there is none by this name",
    "DELETE /v1/api-keys/{key_id}": "there is none by this id",
    "GET /v1/audit/entries/{seq}": "the log is short",
    "GET /v1/audit/proof/inclusion": "the log is short",
    "GET /v1/audit/proof/consistency": "the log is short",
    "GET /v1/accuracy/days": "items exist",
    "GET /v1/forecasts/{sku}/{location}": "not every item is forecast in the tiny world",
}


def test_where_no_language_model_is_configured_there_are_no_other_words(stage: Stage) -> None:
    lines: list[dict[str, Any]] = []

    def planned() -> bool:
        lines.extend(stage.planner.recommendations(status="all", limit=1))
        return bool(lines)

    assert wait_until(planned, seconds=60), "the day that closed last is planned by itself"
    with pytest.raises(ApiProblem, match="COUNTERSIGN_RATIONALE_KIND") as refused:
        stage.planner.get(f"/v1/recommendations/{lines[0]['recommendation_id']}/rationale")
    assert (refused.value.status, refused.value.code) == (404, "rationale_off")
    with pytest.raises(ApiProblem) as unknown:
        stage.planner.get("/v1/recommendations/none-of-ours/rationale")
    assert (unknown.value.status, unknown.value.code) == (404, "recommendation_not_found")


def test_no_input_makes_the_api_fail_and_no_warning_is_left(stage: Stage, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    cookies = {name: cookie(stage, name) for name in ("approver", "admin", "auditor")}
    config.write_text(settings(stage, cookies))
    ended = subprocess.run(
        [*command(config, stage.local.gateway_url, tmp_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS * 5,
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.scenario.fuzz_hooks", "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert "Tested: 0" not in ended.stdout
    # It is still there, and the exclusions are still of operations that exist.
    assert stage.client.status()["tenant"] == TENANT
    operations = {f"{method} {path}" for method, path in ROUTES}
    assert set(LEFT_OUT) | set(REFUSES_BY_RULE) <= operations


def command(config: Path, url: str, folder: Path) -> list[str]:
    """The fuzzer, bounded by time."""
    fuzzer = str(Path(sys.executable).parent / "schemathesis")
    how = ["--checks", CHECKS, "--max-time", str(SECONDS), "--max-examples", "8", "--continue-on-failure", "--no-color"]
    phases = ["--phases", "examples,coverage,fuzzing", "--generation-with-security-parameters", "false"]
    left_out = [word for name in LEFT_OUT for word in ("--exclude-name", name)]
    kept = ["--generation-database", "none", "--suppress-health-check", "all"]
    return [fuzzer, "--config-file", str(config), "run", f"{url}/v1/openapi.json", *how, *phases, *left_out, *kept]


def cookie(stage: Stage, username: str) -> str:
    """A session of this person."""
    with stage.access.person(stage.local.gateway_url, username) as person:
        (found,) = [f"{one.name}={one.value}" for one in person._transport._http.cookies.jar]
    return found


def person_for(method: str, path: str) -> str:
    """Somebody who may: everything is tried by one it is open to."""
    roles = ROUTES[method, path].roles
    return next((name for name in ("approver", "admin", "auditor") if name in roles), "admin")


def settings(stage: Stage, cookies: dict[str, str]) -> str:
    """The fuzzer's settings: who asks what, real names for places in paths, warnings as failures."""
    line = next(iter(stage.planner.recommendations(status="all", limit=1)), {})
    known: dict[str, Any] = {
        "path.sku": stage.world.skus[0],
        "path.location": stage.world.places[0],
        "path.recommendation_id": line.get("recommendation_id", "none"),
        "path.subject": "item",
        "path.code": stage.world.skus[0],
    }
    origin = json.dumps(stage.local.gateway_url)
    written = [f"headers = {{ Cookie = {json.dumps(cookies['approver'])}, Origin = {origin} }}"]
    written += ["[warnings]", "fail-on = true", "", "[parameters]"]
    written += [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in known.items()]
    for method, path in sorted(ROUTES):
        name = f"{method} {path}"
        if name in LEFT_OUT:
            continue
        who = cookies[person_for(method, path)]
        headers = f"{{ Cookie = {json.dumps(who)}, Origin = {origin} }}"
        written += ["", "[[operations]]", f"include-name = {json.dumps(name)}", f"headers = {headers}"]
        if name in REFUSES_BY_RULE:
            written.append("warnings = false")
    return "\n".join(written) + "\n"
