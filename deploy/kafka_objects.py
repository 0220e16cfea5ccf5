"""Topics, users and rights for the Strimzi operator, from the topic catalogue: what a service may touch is what the map says."""

from typing import Any

import yaml

from cli.platform.topics import wanted
from schemas.topics import ALL

NAMESPACE = "countersign"
CLUSTER = "countersign"
SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
HEADER = "# Made by `python -m deploy.generate` from schemas/topics.yaml; change that file instead.\n"
COPIES, IN_SYNC = 3, 2


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"strimzi.io/cluster": CLUSTER}}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def topics_text() -> str:
    """One KafkaTopic for each topic of the catalogue and its dead letters."""
    objects = [
        _object(
            "KafkaTopic",
            topic.name,
            {
                "partitions": topic.partitions,
                "replicas": COPIES,
                "config": {**topic.settings, "min.insync.replicas": str(IN_SYNC)},
            },
        )
        for topic in wanted(NAMESPACE)
    ]
    return HEADER + yaml.safe_dump_all(objects, sort_keys=False)


def _may(kind: str, name: str, *operations: str, prefix: bool = False) -> dict[str, Any]:
    resource = {"type": kind, "name": name, "patternType": "prefix" if prefix else "literal"}
    return {"resource": resource, "operations": list(operations)}


def rights(service: str) -> list[dict[str, Any]]:
    """Least rights of a service: read what it consumes, write what it produces and the dead letters of what it reads."""
    found = []
    for topic in ALL:
        consumes, produces = service in topic.consumers, service in topic.producers
        # Who publishes also reads back: a relay looks for what an earlier one got out before it died.
        operations = ["Describe", *(["Read"] if consumes or produces else []), *(["Write"] if produces else [])]
        if len(operations) > 1:
            found.append(_may("topic", topic.on(NAMESPACE), *operations))
        if consumes:
            found.append(_may("topic", topic.dead_on(NAMESPACE), "Describe", "Read", "Write"))
    found.append(_may("group", f"{NAMESPACE}.{service}", "Read"))
    found.append(_may("transactionalId", f"{NAMESPACE}.{service}.", "Describe", "Write", prefix=True))
    return found


def users_text() -> str:
    """One KafkaUser a service."""
    objects = [
        _object(
            "KafkaUser",
            f"kafka-{service}",
            {"authentication": {"type": "scram-sha-512"}, "authorization": {"type": "simple", "acls": rights(service)}},
        )
        for service in SERVICES
    ]
    return HEADER + yaml.safe_dump_all(objects, sort_keys=False)
