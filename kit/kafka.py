"""Kafka clients with the settings that lose nothing, held to the topic catalogue."""

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

from kit.settings import ServiceSettings
from schemas.topics import Topic

# 2 MiB a partition and fetch: with a backlog, four partitions fill a transaction; and a bound on memory.
PARTITION_FETCH_BYTES_MAX = 2_097_152
REQUEST_BYTES_MAX = 2_097_152
PRODUCER_BATCH_BYTES_MAX = 262_144
RELAY_TRANSACTION_TIMEOUT_MILLISECONDS = 10_000
STOP_SECONDS_MAX = 5.0
_send_of_the_library = AIOKafkaConnection.send


class NotInCatalogue(RuntimeError):
    """A service tried to read or write a topic that the catalogue does not give it."""


def check_consumes(service: str, topic: Topic) -> None:
    """Raise NotInCatalogue unless the catalogue lists `service` as a consumer, so that the picture cannot lie."""
    if service not in topic.consumers:
        raise NotInCatalogue(
            f"{service} is not a consumer of {topic.name}; add it to schemas/topics.yaml and run ./run schemas"
        )


def check_produces(service: str, topic: Topic) -> None:
    """Raise NotInCatalogue unless `schemas/topics.yaml` lists `service` as a producer."""
    if service not in topic.producers:
        raise NotInCatalogue(
            f"{service} is not a producer of {topic.name}; add it to schemas/topics.yaml and run ./run schemas"
        )


def connection(settings: ServiceSettings) -> dict[str, Any]:
    """How to reach the brokers, for any aiokafka client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        ca_file = str(settings.kafka_ca_file) if settings.kafka_ca_file else None
        options["ssl_context"] = ssl.create_default_context(cafile=ca_file)
    if settings.kafka_security_protocol.startswith("SASL"):
        password = settings.kafka_password.get_secret_value() if settings.kafka_password else ""
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": password,
        }
    return options


def group_consumer(settings: ServiceSettings, service: str) -> AIOKafkaConsumer:
    """A member of `<namespace>.<service>` that commits nothing by itself and sees committed records only."""
    return AIOKafkaConsumer(
        **connection(settings),
        client_id=f"{settings.namespace}-{service}",
        group_id=f"{settings.namespace}.{service}",
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        session_timeout_ms=settings.consumer_session_milliseconds,
        heartbeat_interval_ms=2_000,
        max_poll_interval_ms=300_000,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
        metadata_max_age_ms=30_000,
    )


def plain_consumer(settings: ServiceSettings, client: str) -> AIOKafkaConsumer:
    """A reader without a group, committed records only; assign and seek it yourself."""
    return AIOKafkaConsumer(
        **connection(settings),
        client_id=f"{settings.namespace}-{client}",
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )


def idempotent_producer(settings: ServiceSettings, client: str, **more: Any) -> AIOKafkaProducer:
    """A producer whose acknowledged records are on all in-sync replicas, each once, in order."""
    return AIOKafkaProducer(
        **connection(settings),
        client_id=f"{settings.namespace}-{client}",
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_batch_size=PRODUCER_BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
        **more,
    )


def fenced_producer(settings: ServiceSettings, service: str) -> AIOKafkaProducer:
    """The relay's producer: one transactional id per service, so a second relay fences the first."""
    return AIOKafkaProducer(
        **connection(settings),
        client_id=f"{settings.namespace}-{service}-relay",
        transactional_id=f"{settings.namespace}.{service}.relay",
        # The next transaction may start while the broker still closes the last one; it is asked again this soon.
        retry_backoff_ms=20,
        transaction_timeout_ms=RELAY_TRANSACTION_TIMEOUT_MILLISECONDS,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=PRODUCER_BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
    )


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop it as it wishes, within seconds: one whose broker is away waits for it for ever."""
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await producer.stop()
    except TimeoutError:
        # What it had under way is neither lost nor doubled: the next one fences it and looks for what was published.
        await producer._sender.close()
        await producer.client.close()


def _send(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
    """Say of a connection that is gone that it is gone.

    uvloop answers a write to it with RuntimeError, asyncio's own loop does not; aiokafka expects OSError (its issue 1038).
    It ended the task that learns where the brokers are, and with it, without a word, all reading and publishing.
    """
    try:
        return _send_of_the_library(connection, request, expect_response)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error


AIOKafkaConnection.send = _send
