"""Every error a caller sees is a problem document that helps, and none of them shows our insides."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from kit.http import Problem, create_app


class Body(BaseModel):
    quantity: int


@pytest.fixture
def client() -> TestClient:
    app: FastAPI = create_app("test", title="Test")

    @app.get("/refused")
    async def refused() -> None:
        raise Problem(
            409, "stale", "Somebody was faster", "Anna decided at 09:41.", errors=[{"field": "v", "reason": "old"}]
        )

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("secret detail: Key (tenant)=(acme)")

    @app.get("/down")
    async def down() -> None:
        raise ConnectionError("10.0.0.3 refused")

    @app.post("/body")
    async def body(body: Body) -> dict[str, Any]:
        return {"quantity": body.quantity}

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/refused", 409, "stale"),
        ("GET", "/bug", 500, "internal_error"),
        ("GET", "/down", 503, "dependency_unavailable"),
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/body", 405, "method_not_allowed"),
    ],
)
def test_every_error_is_a_problem_document(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path, headers={"x-request-id": "r-1"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document = answer.json()
    assert (document["status"], document["code"], document["instance"]) == (status, code, "urn:request:r-1")
    assert "secret" not in answer.text and "10.0.0.3" not in answer.text
    assert answer.headers["x-request-id"] == "r-1"


def test_a_field_that_does_not_fit_is_named(client: TestClient) -> None:
    answer = client.post("/body", json={"quantity": "many"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.quantity"
    assert answer.json()["errors"][0]["reason"]


def test_a_problem_keeps_what_the_caller_needs(client: TestClient) -> None:
    document = client.get("/refused").json()
    assert document["detail"] == "Anna decided at 09:41."
    assert document["errors"] == [{"field": "v", "reason": "old"}]
