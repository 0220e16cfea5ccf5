"""CloudEvents on Kafka: what comes in becomes a `Received`, what goes out an `Outgoing` whose id follows its cause.

Written in binary mode (attributes as `ce_*` headers, the value is the data); both modes are read.
"""

import functools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

import orjson
from asyncpg.pgproto.pgproto import UUID  # as uuid.UUID, made ten times as fast
from pydantic import ValidationError

from kernel.ids import derived_id
from kit import telemetry
from kit.errors import Rejected
from schemas.base import Message, in_calendar
from schemas.registry import MESSAGES
from schemas.topics import TOPIC_OF, Topic

M = TypeVar("M", bound=Message, covariant=True)
Headers = Sequence[tuple[str, bytes]]
# As a record brings them: in Kafka a header may have no value, which is to us as if it were not there.
AnyHeaders = Sequence[tuple[str, bytes | None]]
# Kafka's own default for one record; what is larger has no business on these topics.
VALUE_BYTES_MAX = 1_048_576
_PLAIN = "application/json"  # what nearly every record says it is
# The headers of a record as our gateway writes it; the first five are the same for all of a sender's events of one type.
_USUAL = (
    "ce_specversion", "content-type", "ce_source", "ce_type", "ce_tenant", "ce_id", "ce_time", "ce_partitionkey",
)  # fmt: skip
_REQUIRED = ("ce_id", "ce_source", "ce_type", "ce_time", "ce_tenant")


class Envelope(NamedTuple):
    """The CloudEvents attributes we use. (source, id) identifies the event; `tenant` is an extension attribute.

    A named tuple, as `Received` is: one of each is made per event, in half the time of a frozen dataclass.
    """

    id: str
    source: str
    type: str
    time: datetime
    tenant: str
    key: str
    subject: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None


# A named tuple's own constructor is a Python function; this is not.
_made = functools.partial(tuple.__new__, Envelope)


class Received(NamedTuple, Generic[M]):
    """A message as read from a topic, with where it was read. `hash`: 16 bytes for (source, id), the dedupe key."""

    envelope: Envelope
    body: M
    topic: Topic
    partition: int
    offset: int
    value: bytes
    headers: Headers
    stored_at_ms: int
    hash: uuid.UUID

    @property
    def digest(self) -> int:
        """8 bytes of the content, as a signed integer: the same id with another content is a conflict, not a repeat."""
        return int.from_bytes(blake2b(self.value, digest_size=8).digest(), "big", signed=True)


_received = functools.partial(tuple.__new__, Received)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the outbox. `topic` is the name without namespace (a dead letter's ends in .dead). `packed`: its value as
    the outbox keeps it (`kit.packing`), from who keeps it in a table as well."""

    topic: str
    envelope: Envelope
    value: bytes
    extra_headers: tuple[tuple[str, str], ...] = ()
    packed: bytes | None = None


def event_hash(source: str, event_id: str) -> uuid.UUID:
    """16 bytes that stand for (source, id)."""
    made: uuid.UUID = UUID(blake2b(f"{source}\x00{event_id}".encode(), digest_size=16).digest())
    return made


def outgoing(
    body: Message,
    *,
    service: str,
    cause: Envelope | str,
    time: datetime,
    name: str = "",
    subject: str | None = None,
    value: bytes | None = None,
    packed: bytes | None = None,
) -> Outgoing:
    """A message of ours, on the topic that carries its type, under its own record key.

    `cause` is the event (or the id of the run, decision, …) it follows from; with `name` it makes the id, so the same
    cause publishes the same id again. `time` is when it became true, in event time where planning is concerned.
    `value`: the message as JSON, from who has written it already; `packed`: and packed it.
    """
    text = body.wire() if value is None else value
    return outgoing_text(
        type(body),
        body.tenant,
        body.record_key(),
        text,
        service=service,
        cause=cause,
        time=time,
        name=name,
        subject=subject,
        packed=packed,
    )


def outgoing_text(
    kind: type[Message],
    tenant: str,
    key: str,
    value: bytes,
    *,
    service: str,
    cause: Envelope | str,
    time: datetime,
    name: str = "",
    subject: str | None = None,
    packed: bytes | None = None,
) -> Outgoing:
    """As `outgoing`, of a message that was never an object but its JSON: `key` is its record key."""
    cause_id = cause.id if isinstance(cause, Envelope) else cause
    origin = cause.traceparent if isinstance(cause, Envelope) else None
    return Outgoing(
        topic=TOPIC_OF[kind.TYPE].name,
        envelope=Envelope(
            id=derived_id(service, cause_id, kind.TYPE, key, name),
            source=f"countersign/{service}",
            type=kind.TYPE,
            time=time.astimezone(UTC),
            tenant=tenant,
            key=key,
            subject=subject,
            correlation_id=(cause.correlation_id or cause.id) if isinstance(cause, Envelope) else cause,
            causation_id=cause_id,
            traceparent=origin or telemetry.traceparent(),
        ),
        value=value,
        packed=packed,
    )


def headers_of(message: Outgoing) -> list[tuple[str, bytes]]:
    """The record headers of binary mode."""
    return [(name, text.encode()) for name, text in header_texts(message)]


def header_texts(message: Outgoing) -> list[tuple[str, str]]:
    """The record headers of binary mode, as text."""
    envelope = message.envelope
    pairs: list[tuple[str, str | None]] = [
        ("ce_specversion", "1.0"),
        ("ce_id", envelope.id),
        ("ce_source", envelope.source),
        ("ce_type", envelope.type),
        ("ce_time", envelope.time.isoformat().replace("+00:00", "Z")),
        ("ce_tenant", envelope.tenant),
        ("ce_partitionkey", envelope.key),
        ("ce_subject", envelope.subject),
        ("ce_correlationid", envelope.correlation_id),
        ("ce_causationid", envelope.causation_id),
        ("traceparent", envelope.traceparent),
        ("content-type", "application/json"),
        *message.extra_headers,
    ]
    return [(name, value) for name, value in pairs if value is not None]


def decode(
    topic: Topic,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: AnyHeaders,
    stored_at_ms: int,
) -> Received[Message]:
    """Read one record of either CloudEvents mode. Raises Rejected with the code its dead letter carries."""
    if value is None:
        raise Rejected("no_value", "the record has no value")
    if len(value) > VALUE_BYTES_MAX:
        raise Rejected("too_large", f"the value has {len(value)} bytes, at most {VALUE_BYTES_MAX} are read")
    envelope, data, headers = _usual(key, value, headers) or _any(key, value, headers)
    if envelope.type not in topic.messages:
        known = "is not a message of this topic" if envelope.type in MESSAGES else "is unknown"
        raise Rejected("unknown_type", f"type {envelope.type!r} {known} ({topic.name})", field="ce_type")
    try:
        body: Message = MESSAGES[envelope.type].__pydantic_validator__.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "data"
        raise Rejected("invalid_body", f"{where}: {first['msg']}", field=where) from error
    if body.tenant != envelope.tenant:
        raise Rejected(
            "tenant_mismatch", f"header says tenant {envelope.tenant!r}, body says {body.tenant!r}", field="tenant"
        )
    expected = body.record_key()
    if envelope.key != expected:
        if key:
            raise Rejected(
                "key_mismatch", f"record key is {envelope.key!r}, the body makes it {expected!r}", field="key"
            )
        # A record without a key: what waits, waits under the key it should have had.
        envelope = envelope._replace(key=expected)
    identity = event_hash(envelope.source, envelope.id)
    received: Received[Message] = _received(
        (envelope, body, topic, partition, offset, data, headers, stored_at_ms, identity)
    )
    return received


def _usual(key: bytes | None, value: bytes, headers: AnyHeaders) -> tuple[Envelope, bytes, Headers] | None:
    """Envelope, data and headers of a record as our gateway writes nearly all; None for any other, good or bad. By place:
    half of the time that it takes by name."""
    if len(headers) != len(_USUAL) or key is None:
        return None
    names: tuple[str, ...]
    said: tuple[bytes, ...]
    names, said = zip(*headers, strict=True)  # whether one has no value is asked next
    event_id, moment, key_again = said[5:]
    if names != _USUAL or None in said or key_again != key or not (event_id and key):
        return None
    try:
        sender, time = _sender(said[:5]), _moment(moment)
        if sender is None:
            return None
        source, kind, tenant = sender
        made: Envelope = _made((event_id.decode(), source, kind, time, tenant, key.decode(), None, None, None, None))
    except ValueError:  # no UTF-8, no time
        return None
    return made, value, headers  # type: ignore[return-value]


@functools.lru_cache(maxsize=4096)
def _sender(said: tuple[bytes, ...]) -> tuple[str, str, str] | None:
    """Source, type and tenant of who says this; None for what is looked at by name."""
    version, content, source, kind, tenant = (one.decode() for one in said)
    is_usual = version == "1.0" and content == _PLAIN and source and kind and tenant
    return (source, kind, tenant) if is_usual else None


@functools.lru_cache(maxsize=4096)
def _moment(text: bytes) -> datetime:
    time = _time(text.decode())
    if time.tzinfo is None:
        raise ValueError("no offset")
    return time


def _any(key: bytes | None, value: bytes, told: AnyHeaders) -> tuple[Envelope, bytes, Headers]:
    """Envelope, data and headers of a record of either mode. Raises Rejected."""
    headers = [(name, raw) for name, raw in told if raw is not None]
    try:
        attributes = {name: raw.decode() for name, raw in headers}
        record_key = key.decode() if key is not None else ""
    except UnicodeDecodeError as error:
        raise Rejected("invalid_headers", f"a header or the key is not UTF-8: {error}") from error
    kind = attributes.get("content-type", "")
    if kind != _PLAIN and kind[:23].lower() == "application/cloudevents":
        attributes, value = _structured(value, attributes)
        # From here on the event is as if it had come in binary mode, so that it can be parked and read again.
        headers = [(name, text.encode()) for name, text in attributes.items()]
    return _envelope(attributes, record_key), value, headers


def _structured(value: bytes, attributes: dict[str, str]) -> tuple[dict[str, str], bytes]:
    """Structured mode: the envelope is in the value, the message in its `data`."""
    try:
        whole = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Rejected("invalid_json", f"structured CloudEvent is not JSON: {error}") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("data"), dict):
        raise Rejected("invalid_envelope", "structured CloudEvent needs an object `data`", field="data")
    lifted = {f"ce_{name}": text for name, text in whole.items() if isinstance(text, str)} | {
        "content-type": "application/json"
    }
    if "traceparent" in whole and isinstance(whole["traceparent"], str):
        lifted.setdefault("traceparent", whole["traceparent"])
    return attributes | lifted, orjson.dumps(whole["data"])


@functools.lru_cache(maxsize=4096)
def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    in_calendar(moment)
    return moment


def _envelope(attributes: dict[str, str], record_key: str) -> Envelope:
    try:
        names = (attributes["ce_id"], attributes["ce_source"], attributes["ce_type"])
        moment, tenant = attributes["ce_time"], attributes["ce_tenant"]
    except KeyError as error:
        raise _missing(error.args[0]) from None
    if not (all(names) and moment and tenant):
        raise _missing(next(name for name in _REQUIRED if not attributes[name]))
    if attributes.get("ce_specversion", "1.0") != "1.0":
        raise Rejected(
            "unknown_version", f"CloudEvents {attributes['ce_specversion']} is not 1.0", field="ce_specversion"
        )
    try:
        time = _time(moment)
    except ValueError as error:
        raise Rejected("invalid_time", f"time {moment!r} is not RFC 3339: {error}", field="ce_time") from error
    if time.tzinfo is None:
        raise Rejected("invalid_time", f"time {moment!r} has no offset", field="ce_time")
    optional = attributes.get
    return Envelope(
        *names,
        time,
        tenant,
        record_key or optional("ce_partitionkey", ""),
        optional("ce_subject"),
        optional("ce_correlationid"),
        optional("ce_causationid"),
        optional("traceparent"),
    )


def _missing(name: str) -> Rejected:
    return Rejected("missing_attribute", f"CloudEvents attribute {name.removeprefix('ce_')} is missing", field=name)
