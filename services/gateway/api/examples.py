"""An example of every answer: recorded from the running product where an owner service writes it, else made from its schema.

`recorded_answers.json` holds answers of the tiny world of the scenario tests, cut to one entry of each list. Made examples
follow from the schema alone, with the same few names for the same things, so that they can never name a field too many.
"""

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("recorded_answers.json")
DEPTH_MAX = 8
# What a text field of this name holds, wherever it occurs.
TEXTS = {
    "sku": "1029743", "location": "367", "from_location": "944", "item_name": "Fluid milk, white, 1 gal", "location_name": "Store 367",
    "supplier": "SUP-17", "supplier_name": "Meadow Dairy", "category": "Milk", "currency": "USD", "unit": "each", "quantity": "312",
    "recommended_quantity": "312", "value": "839.28", "unit_cost": "2.69", "on_hand": "58", "on_order": "96", "reserved": "0",
    "backorders": "0", "inventory_position": "154", "reorder_point": "187", "order_up_to": "466", "margin_at_risk": "214.00",
    "money_at_stake": "214.00", "pack": "12", "tenant": "demo", "username": "planner", "subject": "planner", "name": "Planner",
    "decided_by": "planner", "settled_by": "planner", "settled_reason": "the installer's test sales", "topic": "sales.v1",
    "service": "policy", "message": "Empty by Friday.", "explanation": "Order 312 units (26 packs).", "says": "Whole packs of 12.",
    "time_zone": "America/Chicago", "etag": '"1"', "record_key": "demo/04012345678901/367", "source": "pos/store-367",
    "type": "sale.recorded.v1", "event_id": "till-7/2017-11-05/000123/1", "code": "unknown_identity", "label": "Unknown code",
    "detail": "quantity: Input should be a valid decimal", "prefix": "cs_4f2a", "secret": "cs_4f2a_shown-once",
}  # fmt: skip
DAY, MOMENT, IDENTITY = "2017-11-20", "2017-11-21T04:00:12Z", "0b6f1c1e-5d0c-5a53-9d64-1f7f1f1f1f1f"


def recorded() -> dict[str, Any]:
    """Answers of the running product by operation, such as `GET /v1/accuracy`."""
    found: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return found


def made(schema: dict[str, Any], schemas: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value that fits a schema. `schemas` are the description's components."""
    if "$ref" in schema:
        return made(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, name, depth)
    for word in ("const", "example"):
        if word in schema:
            return schema[word]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        options = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return made(options[0], schemas, name, depth) if options and depth < DEPTH_MAX else None
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        fields = schema.get("properties", {})
        return {field: made(inner, schemas, field, depth + 1) for field, inner in fields.items()}
    if kind == "array":
        return _items(schema, schemas, name, depth)
    return _scalar(schema, name)


def _items(schema: dict[str, Any], schemas: dict[str, Any], name: str, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [made(one, schemas, name, depth + 1) for one in schema["prefixItems"]]
    if depth >= DEPTH_MAX or "items" not in schema:
        return []
    return [made(schema["items"], schemas, name.removesuffix("s"), depth + 1)]


def _scalar(schema: dict[str, Any], name: str) -> Any:
    kind = schema.get("type")
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
        return max(1, int(lowest)) if kind == "integer" else max(0.8, float(lowest))
    if kind != "string":
        return None
    return _text(schema.get("format", ""), name)


def _text(form: str, name: str) -> str:
    """A text by its format, else by what its field is called."""
    if form == "date" or name.endswith("_on") or name in ("date", "origin", "business_date"):
        return DAY
    if form == "date-time" or name.endswith("_at") or name in ("now", "at", "time", "undo_until"):
        return MOMENT
    if form == "uuid" or (name.endswith("_id") and name not in TEXTS):
        return IDENTITY
    return TEXTS.get(name, name.replace("_", " ") or "text")


def add(document: dict[str, Any]) -> None:
    """Give every answer in JSON its example, and every refusal too, unless the route has its own."""
    answers, schemas = recorded(), document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                for media, content in response.get("content", {}).items():
                    if "example" in content or "examples" in content:
                        continue
                    if status.startswith("2"):
                        _add_answer(f"{method.upper()} {path}", content, answers, schemas)
                    elif media == "application/problem+json":
                        content["example"] = _problem(status, response["description"])


def _add_answer(name: str, content: dict[str, Any], answers: dict[str, Any], schemas: dict[str, Any]) -> None:
    if name in answers:
        content["example"] = answers[name]
    elif content.get("schema"):
        content["example"] = made(content["schema"], schemas)


def _problem(status: str, description: str) -> dict[str, Any]:
    codes = {"400": "cursor_invalid", "401": "not_signed_in", "403": "role_missing", "422": "invalid_request"}
    codes |= {"404": "not_found", "413": "body_too_large", "429": "too_many_requests", "503": "dependency_unavailable"}
    code = codes.get(status, "refused")
    return {
        "type": f"/docs/problems#{code}",
        "title": description,
        "status": int(status) if status.isdigit() else 400,
        "code": code,
        "instance": "urn:request:5f0c4a3b2d1e4f60",
    }
