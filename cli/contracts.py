"""Makes what follows from the contracts: typed topics, JSON Schemas, AsyncAPI, the flow picture. `./run schemas`.

`write(root)` writes all of them; `stale(root)` names those that no longer match, for the check in CI.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from schemas.registry import MESSAGES

HEADER = "Made from schemas/topics.yaml by `./run schemas`; change that file instead."


def catalogue(root: Path) -> dict[str, dict[str, Any]]:
    """The topics of `schemas/topics.yaml`, by name without namespace."""
    loaded: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((root / "schemas/topics.yaml").read_text("utf-8"))
    return loaded["topics"]


def constant(name: str) -> str:
    return name.removesuffix(".v1").replace("-", "_").upper()


def topics_module(topics: dict[str, dict[str, Any]]) -> str:
    """`schemas/topics.py`: the map as typed constants."""
    lines = [
        f'"""The topics as typed constants. {HEADER}"""',
        "",
        "from dataclasses import dataclass",
        "",
        "",
        "@dataclass(frozen=True, slots=True)",
        "class Topic:",
        '    """A topic of the catalogue; `on(namespace)` is its name on the broker, `.dead_on` its dead letters."""',
        "",
        "    name: str",
        "    partitions: int",
        "    compacted: bool",
        "    retention_days: int",
        "    producers: tuple[str, ...]",
        "    consumers: tuple[str, ...]",
        "    messages: tuple[str, ...]",
        "",
        "    def on(self, namespace: str) -> str:",
        '        return f"{namespace}.{self.name}"',
        "",
        "    def dead_on(self, namespace: str) -> str:",
        '        return f"{namespace}.{self.name}.dead"',
        "",
        "",
    ]
    for name, topic in topics.items():
        lines += [f"{constant(name)} = Topic("]
        lines += [
            f'    name="{name}",',
            f"    partitions={topic['partitions']},",
            f"    compacted={topic['compacted']},",
        ]
        lines += [f"    retention_days={topic['retention_days']},"]
        for field in ("producers", "consumers", "messages"):
            values = [f'"{value}"' for value in topic[field]]
            flat = f"    {field}=({', '.join(values)}{',' if len(values) == 1 else ''}),"
            lines += (
                [flat] if len(flat) <= 120 else [f"    {field}=(", *[f"        {value}," for value in values], "    ),"]
            )
        lines += [")"]
    lines += ["", "ALL = ("] + [f"    {constant(name)}," for name in topics] + [")", ""]
    lines += ["TOPIC_OF = {message: topic for topic in ALL for message in topic.messages}", ""]
    return "\n".join(lines)


def json_schema(message_type: str) -> str:
    """JSON Schema 2020-12 of one message, as readers must accept it."""
    schema = MESSAGES[message_type].model_json_schema(mode="serialization")
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"countersign:{message_type}", **schema}
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def asyncapi(topics: dict[str, dict[str, Any]]) -> str:
    """AsyncAPI 3.0: every channel, who sends to it and who receives from it."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name, topic in topics.items():
        channel = constant(name).lower()
        channels[channel] = {
            "address": f"countersign.{name}",
            "title": topic["title"],
            "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in topic["messages"]},
            "bindings": {
                "kafka": {
                    "topic": f"countersign.{name}",
                    "partitions": topic["partitions"],
                    "topicConfiguration": {
                        "cleanup.policy": ["compact"] if topic["compacted"] else ["delete"],
                        "retention.ms": -1 if topic["retention_days"] < 0 else topic["retention_days"] * 86_400_000,
                    },
                    "bindingVersion": "0.5.0",
                }
            },
        }
        for action, verb, who in (("send", "sends", "producers"), ("receive", "receives", "consumers")):
            for service in topic[who]:
                operations[f"{service}_{verb}_{channel}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{channel}"},
                    "title": f"{service} {verb} {topic['title'][0].lower()}{topic['title'][1:]}",
                }
    messages = {
        kind: {
            "name": kind,
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/cloudEventHeaders"},
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": {"$ref": f"./json/{kind}.schema.json"},
            },
        }
        for topic in topics.values()
        for kind in topic["messages"]
    }
    names = ("ce_id", "ce_source", "ce_specversion", "ce_type", "ce_time", "ce_tenant")
    headers = {
        "type": "object",
        "required": list(names),
        "properties": {name: {"type": "string"} for name in (*names, "ce_partitionkey", "traceparent")},
    }
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Countersign events",
            "version": "1.0.0",
            "description": f"CloudEvents 1.0 on Kafka, binary mode. {HEADER}",
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"cloudEventHeaders": headers}},
    }
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def flows(topics: dict[str, dict[str, Any]]) -> str:
    """`docs/flows.md`: who writes and reads each topic, as a picture and a table."""
    edges, rows = [], []
    for name, topic in topics.items():
        node = constant(name).lower()
        edges.append(f"  {node}([{name}])")
        edges += [f"  {service} --> {node}" for service in topic["producers"]]
        edges += [f"  {node} --> {service}" for service in topic["consumers"]]
        kept = "for ever" if topic["retention_days"] < 0 else f"{topic['retention_days']} days"
        kept = "newest per key" if topic["compacted"] else kept
        who = ", ".join(topic["producers"] + topic["outside"])
        rows.append(
            f"| `countersign.{name}` | {topic['title']} | {topic['key']} | {topic['partitions']} | {kept} | {who} "
            f"| {', '.join(topic['consumers'])} | {', '.join(f'`{kind}`' for kind in topic['messages'])} |"
        )
    return "\n".join(
        [
            "# Topics and flows",
            "",
            f"{HEADER} `outside` systems (POS, WMS, ERP) may write straight to Kafka or through the gateway.",
            "",
            "```mermaid",
            "flowchart LR",
            *edges,
            "```",
            "",
            "| topic | carries | key | partitions | kept | written by | read by | messages |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "What a consumer cannot read goes to the topic's `.dead` twin with reason code and the original bytes.",
            "",
        ]
    )


def products(root: Path) -> dict[Path, str]:
    """Every generated file with the text it must have."""
    topics = catalogue(root)
    made = {
        root / "schemas/topics.py": topics_module(topics),
        root / "schemas/asyncapi.yaml": asyncapi(topics),
        root / "docs/flows.md": flows(topics),
    }
    return made | {root / f"schemas/json/{kind}.schema.json": json_schema(kind) for kind in MESSAGES}


def stale(root: Path) -> list[Path]:
    """Generated files that are missing or differ from what the contracts say now."""
    return [path for path, text in products(root).items() if not path.exists() or path.read_text("utf-8") != text]


def write(root: Path) -> list[Path]:
    """Write what is stale; returns what was written."""
    made = products(root)
    changed = stale(root)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path], "utf-8")
    return changed
