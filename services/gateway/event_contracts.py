"""The contracts of all events as one AsyncAPI document, whole in itself: for who writes to our topics or reads them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import schemas

FOLDER = Path(schemas.__file__).parent


@cache
def asyncapi() -> dict[str, Any]:
    """`schemas/asyncapi.yaml` with the JSON Schema of each event in its place; it never changes while a service runs."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text("utf-8"))
    for message in document["components"]["messages"].values():
        payload = message["payload"]
        # Its references begin at its own `$id`, so they still lead where they did.
        payload["schema"] = json.loads((FOLDER / payload["schema"]["$ref"]).read_text("utf-8"))
    return document


def topics() -> list[dict[str, Any]]:
    """The same for a page: each topic, who sends and receives, and its events with their fields."""
    document = asyncapi()
    messages, operations = document["components"]["messages"], document["operations"]
    found = []
    for name, channel in document["channels"].items():
        sides = {"send": "sends", "receive": "receives"}
        found.append(
            {
                "name": name,
                "address": channel["address"],
                "title": channel["title"],
                **{
                    action: [key.partition(f"_{verb}_")[0] for key in operations if key.endswith(f"_{verb}_{name}")]
                    for action, verb in sides.items()
                },
                "events": [_event(kind, messages[kind]["payload"]["schema"]) for kind in channel["messages"]],
            }
        )
    return found


def _event(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    needed = set(schema.get("required", ()))
    return {
        "kind": kind,
        "says": schema.get("description", ""),
        "fields": [(name, name in needed) for name in schema["properties"]],
    }
