"""The same ground in containers: the images of docker-compose.yml, started by testcontainers when asked for.

COUNTERSIGN_TEST_CONTAINERS=1 asks for it. Without an engine, or without the images, the tests that need a platform are
skipped with a sentence that says which of both is missing; nothing is pulled behind anybody's back.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cli.platform.kafka import demand_answer
from cli.platform.ports import any_free
from cli.platform.postgres import INITDB_LOCALE
from tests.ground import Ground

VARIABLE = "COUNTERSIGN_TEST_CONTAINERS"
COMPOSE = Path(__file__).resolve().parents[1] / "docker-compose.yml"
SOCKET = Path("/var/run/docker.sock")
PASSWORD = "only-inside-this-test-run"
START_SECONDS_MAX = 120.0
# Inside its container, where clients on this machine come in.
OUTSIDE_PORT = 19092


def wanted() -> bool:
    """Whether this run asked for containers."""
    return os.environ.get(VARIABLE) == "1"


def images() -> dict[str, str]:
    """The Kafka and PostgreSQL images the compose file runs, so that tests and deployment never part."""
    services = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    found = [str(service["image"]) for service in services.values() if "image" in service]
    kafka = next(image for image in found if image.startswith("apache/kafka:"))
    postgres = next(image for image in found if image.startswith("postgres:"))
    return {"kafka": kafka, "postgres": postgres}


def missing() -> str | None:
    """Why containers cannot be used here, in one sentence; None when they can."""
    if "DOCKER_HOST" not in os.environ and not SOCKET.exists():
        return f"no container engine answers here ({SOCKET} does not exist and DOCKER_HOST is not set)"
    import docker
    from docker.errors import DockerException, ImageNotFound

    try:
        client = docker.from_env()
    except DockerException as error:
        return f"no container engine answers here ({type(error).__name__})"
    try:
        for image in images().values():
            try:
                client.images.get(image)
            except ImageNotFound:
                return f"the image {image} is not on this machine; `docker pull {image}` brings it"
    finally:
        client.close()
    return None


@contextlib.contextmanager
def running() -> Iterator[Ground]:
    """Kafka and PostgreSQL in containers for the length of the block. Skips the test when they cannot be used."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    # The reaper is one more image to have; the block below removes what it starts.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    from testcontainers.core.container import DockerContainer

    port, database_port = any_free(), any_free()
    kafka = DockerContainer(images()["kafka"]).with_bind_ports(OUTSIDE_PORT, port)
    for key, value in _kafka_settings(port).items():
        kafka = kafka.with_env(key, value)
    postgres = DockerContainer(images()["postgres"]).with_bind_ports(5432, database_port)
    postgres = postgres.with_env("POSTGRES_INITDB_ARGS", " ".join(INITDB_LOCALE))
    postgres = postgres.with_env("POSTGRES_PASSWORD", PASSWORD).with_command("postgres -c max_connections=200")
    with kafka, postgres:
        ground = Ground(f"127.0.0.1:{port}", f"postgresql://postgres:{PASSWORD}@127.0.0.1:{database_port}/postgres")
        demand_answer(ground.kafka_bootstrap, seconds=START_SECONDS_MAX)
        ground.await_database(START_SECONDS_MAX)
        yield ground


def _kafka_settings(port: int) -> dict[str, str]:
    """One broker that tells clients the address they can reach from outside its container, and itself another.

    It calls itself to end transactions, and the outside address leads nowhere inside: without a listener of its own for
    that, every transaction would stay open.
    """
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        "KAFKA_LISTENERS": f"INSIDE://:9092,CONTROLLER://:9093,OUTSIDE://:{OUTSIDE_PORT}",
        "KAFKA_ADVERTISED_LISTENERS": f"INSIDE://127.0.0.1:9092,OUTSIDE://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,OUTSIDE:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
