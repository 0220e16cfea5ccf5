"""Dead letters: what could not be handled, kept whole, with the reason, on the topic's `.dead` twin."""

from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord

from kit.errors import Rejected
from kit.events import Envelope, Outgoing, Received, derived_id
from schemas.topics import Topic

# Dead letters whose tenant cannot be read belong to nobody's tenant; only the operator of the installation sees them.
NOBODY = "unknown"
TYPE = "dead-letter.v1"
DETAIL_MAX = 500


def of(record: ConsumerRecord, topic: Topic, service: str, error: Rejected) -> Outgoing:
    """The dead letter of a record: its value as it was, its headers behind `original_`."""
    headers = {name: raw.decode(errors="replace") for name, raw in record.headers}
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return _letter(
        topic=topic,
        service=service,
        cause=place,
        tenant=headers.get("ce_tenant") or NOBODY,
        key=record.key.decode(errors="replace") if record.key is not None else "",
        value=record.value or b"",
        error=error,
        extra=tuple((f"original_{name}", text) for name, text in headers.items()) + (("dead_place", place),),
    )


def conflict(received: Received[Any], service: str) -> Outgoing:
    """The dead letter of an event that came with an id already used for another content."""
    place = f"{received.topic.name}/{received.partition}/{received.offset}"
    error = Rejected(
        "id_reused",
        f"event id {received.envelope.id!r} of {received.envelope.source!r} was used before for another content",
        field="id",
    )
    return _letter(
        topic=received.topic,
        service=service,
        cause=place,
        tenant=received.envelope.tenant,
        key=received.envelope.key,
        value=received.value,
        error=error,
        extra=tuple((f"original_{name}", raw.decode(errors="replace")) for name, raw in received.headers)
        + (("dead_place", place),),
    )


def _letter(
    *,
    topic: Topic,
    service: str,
    cause: str,
    tenant: str,
    key: str,
    value: bytes,
    error: Rejected,
    extra: tuple[tuple[str, str], ...],
) -> Outgoing:
    envelope = Envelope(
        id=derived_id("dead", service, cause),
        source=f"countersign/{service}",
        type=TYPE,
        time=datetime.now(UTC),
        tenant=tenant,
        key=key,
        causation_id=cause,
    )
    reason = (
        ("dead_code", error.code),
        ("dead_detail", error.message[:DETAIL_MAX]),
        ("dead_field", error.field or ""),
        ("dead_consumer", service),
    )
    return Outgoing(topic=f"{topic.name}.dead", envelope=envelope, value=value, extra_headers=reason + extra)
