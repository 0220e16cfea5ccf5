"""The contracts hold: generated files are fresh, frozen examples are still read, and no released message is broken."""

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from cli import compatibility, contracts
from schemas import topics
from schemas.registry import MESSAGES, strict

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "schemas/examples").glob("*/*.json"))
RELEASED = sorted((ROOT / "schemas/released").glob("*.json"))


def test_generated_files_are_what_the_contracts_say() -> None:
    stale = [str(path.relative_to(ROOT)) for path in contracts.stale(ROOT)]
    assert not stale, f"stale: {stale}; run ./run schemas"


def test_every_message_is_on_exactly_one_topic_and_has_two_examples() -> None:
    assert set(topics.TOPIC_OF) == set(MESSAGES)
    for kind in MESSAGES:
        assert len(list((ROOT / "schemas/examples" / kind).glob("*.json"))) >= 2, kind


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_frozen_example_is_read_written_and_valid(path: Path) -> None:
    kind, text = path.parent.name, path.read_text("utf-8")
    message = strict(kind).model_validate_json(text)
    written = message.model_dump_json(exclude_none=True)
    assert MESSAGES[kind].model_validate_json(written).model_dump() == message.model_dump()
    schema = json.loads((ROOT / "schemas/json" / f"{kind}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(written))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_reader_ignores_a_field_it_does_not_know_and_writer_refuses_it(path: Path) -> None:
    kind = path.parent.name
    body = json.loads(path.read_text("utf-8")) | {"field_of_the_future": 1}
    assert MESSAGES[kind].model_validate_json(json.dumps(body)).tenant == body["tenant"]
    with pytest.raises(ValidationError, match="field_of_the_future"):
        strict(kind).model_validate_json(json.dumps(body))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_times_at_the_ends_of_the_calendar_are_read_or_refused_never_more(path: Path) -> None:
    """An error that is no refusal would come out of every reader, and as a 5xx out of the gateway."""
    body = json.loads(path.read_text("utf-8"))
    for name in body:
        for odd in ("0001-01-01", "0001-01-01T00:00:00+01:00", "9999-12-31", "9999-12-31T23:59:59-01:00"):
            with contextlib.suppress(ValidationError):
                MESSAGES[path.parent.name].model_validate_json(json.dumps(body | {name: odd}))


def test_no_released_message_is_broken() -> None:
    assert compatibility.check(ROOT) == []


def planted(change: str, schema: dict[str, Any]) -> dict[str, Any]:
    new = copy.deepcopy(schema)
    fields = new["properties"]
    if change == "field removed":
        del fields["quantity"]
    elif change == "field renamed":
        fields["amount"] = fields.pop("quantity")
    elif change == "optional becomes required":
        new["required"] = [*new["required"], "promotion"]
    elif change == "new required field":
        fields["till"] = {"type": "string"}
        new["required"] = [*new["required"], "till"]
    elif change == "type changed":
        fields["promotion"] = {"type": "string"}
    elif change == "bound tightened":
        fields["sku"]["maxLength"] = 20
    elif change == "bound loosened":
        fields["sku"]["maxLength"] = 200
    elif change == "pattern changed":
        fields["sku"]["pattern"] = "^[0-9]+$"
    return new


@pytest.mark.parametrize(
    "change",
    [
        "field removed",
        "field renamed",
        "optional becomes required",
        "new required field",
        "type changed",
        "bound tightened",
        "bound loosened",
        "pattern changed",
    ],
)
def test_a_breaking_change_is_caught(change: str) -> None:
    schema = json.loads((ROOT / "schemas/released/sale.recorded.v1.schema.json").read_text("utf-8"))
    assert compatibility.breaks(schema, planted(change, schema)), change


@pytest.mark.parametrize("change", ["more", "fewer"])
def test_a_changed_set_of_values_is_caught(change: str) -> None:
    old = json.loads((ROOT / "schemas/released/stock.moved.v1.schema.json").read_text("utf-8"))
    new = copy.deepcopy(old)
    values = new["properties"]["kind"]["enum"]
    new["properties"]["kind"]["enum"] = [*values, "stolen"] if change == "more" else values[1:]
    assert compatibility.breaks(old, new)


def test_a_new_optional_field_breaks_nobody() -> None:
    for path in RELEASED:
        old = json.loads(path.read_text("utf-8"))
        new = copy.deepcopy(old)
        new["properties"]["till"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
        assert compatibility.breaks(old, new) == []


def test_quantities_and_money_are_never_json_numbers() -> None:
    for path in EXAMPLES:
        body = json.loads(path.read_text("utf-8"))
        for name in ("quantity", "value", "unit_cost", "unit_price", "price", "on_hand", "money_at_risk"):
            assert not isinstance(body.get(name), float | int), f"{path.parent.name}: {name}"


def test_asyncapi_document_refers_only_to_what_exists() -> None:
    document = yaml.safe_load((ROOT / "schemas/asyncapi.yaml").read_text("utf-8"))
    assert document["asyncapi"] == "3.0.0"
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]
    for channel in document["channels"].values():
        for reference in channel["messages"].values():
            message = document["components"]["messages"][reference["$ref"].removeprefix("#/components/messages/")]
            assert (ROOT / "schemas" / message["payload"]["schema"]["$ref"]).is_file()
