"""The description of this API, made from the routes themselves, and of the events it takes."""

import copy
import functools
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from schemas.registry import strict
from services.gateway import event_contracts
from services.gateway.api import examples
from services.gateway.api.same import UNCHANGED, tagged, unless_had
from services.gateway.ingest.check import OPEN_TOPICS
from services.gateway.remembered import Answer

router = APIRouter(prefix="/v1", tags=["openapi"])
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
REFUSALS = {
    "400": "What was sent cannot be read",
    "401": "Not signed in",
    "403": "Not allowed",
    "404": "Not there",
    "422": "A field does not fit",
    "429": "Too many requests",
}


@router.get("/openapi.json", summary="This description", response_model=dict[str, Any], responses=UNCHANGED)
async def description(request: Request, response: Response) -> Response:
    """OpenAPI 3.1; `x-events` lists the JSON Schema of every event type that POST /v1/events takes."""
    return unless_had(request, response, _description(request.app))


@router.get(
    "/asyncapi.json", summary="The description of all events", response_model=dict[str, Any], responses=UNCHANGED
)
async def events(request: Request, response: Response) -> Response:
    """AsyncAPI 3.0: every topic, who sends and receives, and the JSON Schema of every event."""
    return unless_had(request, response, _events())


@functools.lru_cache(maxsize=1)
def _description(app: FastAPI) -> Answer:
    """Half a megabyte that stays as it is for as long as the process runs."""
    return tagged(orjson.dumps(app.openapi()))


@functools.cache
def _events() -> Answer:
    return tagged(orjson.dumps(event_contracts.asyncapi()))


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what the router cannot know: problem documents, the ways to sign in, the events."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": "countersign_session"},
        "key": {"type": "http", "scheme": "bearer"},
    }
    document["security"] = [{"session": []}, {"key": []}]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)
            for status, description in REFUSALS.items():
                responses.setdefault(status, {"description": description})
            for status, response in responses.items():
                if status.startswith(("4", "5")):
                    response["content"] = copy.deepcopy(problem)
    examples.add(document)
    document["x-events"] = {
        message: strict(message).model_json_schema() for topic in OPEN_TOPICS for message in topic.messages
    }
    return document
