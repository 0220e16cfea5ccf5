"""The API's description shows an example of every answer, and every example fits what is described."""

import json
from typing import Any

import jsonschema
import pytest

from cli import openapi
from services.gateway.api.examples import recorded

DOCUMENT: dict[str, Any] = json.loads(openapi.document())
# Answers an owner service writes, and that the tiny world of the scenario tests has no case of yet.
NOT_RECORDED = frozenset(
    {
        "POST /v1/approval-matrix/proposals",
        "POST /v1/approval-matrix/proposals/{proposal_id}/approve",
        "POST /v1/approval-matrix/proposals/{proposal_id}/end",
        "GET /v1/audit/proof/inclusion",
        "POST /v1/backtests",
        "GET /v1/backtests/{backtest_id}",
        "POST /v1/backtests/{backtest_id}/cancel",
        "POST /v1/delegations",
        "POST /v1/overrides",
        "GET /v1/overrides/{override_id}",
        "POST /v1/overrides/{override_id}/withdrawal",
        "GET /v1/items/{sku}/{location}/movements",
        "POST /v1/policy/proposals",
        "POST /v1/policy/proposals/{proposal_id}/approve",
        "POST /v1/policy/proposals/{proposal_id}/end",
        "POST /v1/strategy-pins",
        "POST /v1/strategy-pins/{pin_id}/withdrawal",
        "POST /v1/training/models/{model_id}/decision",
    }
)
CONTENTS = [
    (f"{method.upper()} {path}", status, content)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    for status, response in operation["responses"].items()
    for media, content in response.get("content", {}).items()
    if media.endswith("json")
]
ANSWERS = [
    pytest.param(name, content, id=f"{name} {status}") for name, status, content in CONTENTS if status.startswith("2")
]


@pytest.mark.parametrize(("name", "content"), ANSWERS)
def test_answer_has_an_example_that_fits_its_schema(name: str, content: dict[str, Any]) -> None:
    if name in NOT_RECORDED:
        assert "example" not in content, f"{name} has one now: take it from the list"
        return
    assert "example" in content
    whole = {**(content.get("schema") or {}), "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(content["example"])


def test_refusal_has_an_example_that_is_a_problem_document() -> None:
    refusals = [content for _, status, content in CONTENTS if not status.startswith("2")]
    assert len(refusals) > 100
    assert all("example" in content for content in refusals)
    problem = jsonschema.Draft202012Validator(DOCUMENT["components"]["schemas"]["Problem"])
    for shown in {json.dumps(content["example"]) for content in refusals}:
        problem.validate(json.loads(shown))


def test_recorded_answers_are_of_operations_that_exist() -> None:
    operations = {f"{method.upper()} {path}" for path, ways in DOCUMENT["paths"].items() for method in ways}
    assert set(recorded()) <= operations
