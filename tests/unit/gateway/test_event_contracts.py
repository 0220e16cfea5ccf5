"""The description of events that the gateway serves is whole: every schema is in it, and takes the frozen examples."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from schemas.registry import MESSAGES
from schemas.topics import TOPIC_OF
from services.gateway import pages
from services.gateway.access import page_principal
from services.gateway.event_contracts import asyncapi, topics

EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "examples"
FILES = sorted(EXAMPLES.glob("*/*.json"))


def references(part: Any) -> list[str]:
    """Every `$ref` in a document."""
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [one for inner in part.values() for one in references(inner)]
    return [one for inner in part for one in references(inner)] if isinstance(part, list) else []


def test_nothing_in_it_leads_out_of_it() -> None:
    document = asyncapi()
    assert set(document["components"]["messages"]) == set(MESSAGES)
    assert all(reference.startswith("#/") for reference in references(document))
    for reference in references({name: document[name] for name in ("channels", "operations")}):
        part: Any = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_its_schemas_take_the_frozen_examples(file: Path) -> None:
    schema = asyncapi()["components"]["messages"][file.parent.name]["payload"]["schema"]
    jsonschema.Draft202012Validator(schema).validate(json.loads(file.read_text("utf-8")))


def test_page_names_every_topic_who_writes_and_every_event() -> None:
    shown = {topic["address"]: {event["kind"] for event in topic["events"]} for topic in topics()}
    assert shown == {f"countersign.{one.name}": set(one.messages) for one in set(TOPIC_OF.values())}
    (orders,) = (one for one in topics() if one["address"] == "countersign.orders.v1")
    assert orders["send"] == ["approvals"]
    assert {"gateway", "policy"} <= set(orders["receive"])
    app = FastAPI()
    app.include_router(pages.router)
    app.dependency_overrides[page_principal] = lambda: None
    with TestClient(app) as client:
        assert client.get("/docs/events", follow_redirects=False).headers["location"].startswith("/sign-in")
    page = pages._templates.get_template("events.html").render(title="Events", theme="", topics=topics())
    assert set(re.findall(r'<dd class="do" id="([^"]+)">', page)) == set(MESSAGES)
