"""One event of a batch, from parsed JSON to what is written to Kafka, or to the field and reason it is refused for."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from kit.events import VALUE_BYTES_MAX, derived_id
from schemas import topics
from schemas.base import Message
from schemas.demand import BusinessDayClosed
from schemas.registry import strict
from schemas.topics import TOPIC_OF, Topic

# Topics that the world writes to through us; the other services' own words are never taken from outside.
OPEN_TOPICS = (topics.SALES, topics.STOCK, topics.CATALOGUE, topics.SIGNALS, topics.ORDER_UPDATES)
ATTRIBUTES = frozenset(
    {
        "specversion", "id", "source", "type", "time", "subject", "tenant", "datacontenttype", "dataschema", "data", "partitionkey",
        "correlationid", "causationid", "traceparent",
    }
)  # fmt: skip
TEXT_MAX = {
    "id": 128,
    "source": 200,
    "type": 100,
    "subject": 200,
    "correlationid": 128,
    "causationid": 128,
    "traceparent": 64,
}
TRACEPARENT_FIELD = "traceparent"


class Refused(ValueError):
    """This event is not taken: `field` names the place, `reason` says what is wrong and what would be right."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.field = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Record:
    """What goes to Kafka. `partition` None: the one its key belongs to."""

    topic: Topic
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """An event that is taken: its identity, a digest of its content, and the records it becomes."""

    identity: bytes
    digest: bytes
    records: list[Record] = field(repr=False)


def check(event: Any, tenant: str) -> Checked:
    """Check one event of `tenant`'s caller. Raises Refused."""
    if not isinstance(event, dict):
        raise Refused("", "an event is a JSON object with id, source, type, time and data")
    attributes = _attributes(event, tenant)
    topic = _topic(attributes["type"])
    body = _body(attributes["type"], event.get("data"), tenant)
    value = body.model_dump_json(exclude_none=True).encode()
    if len(value) > VALUE_BYTES_MAX:
        raise Refused("data", f"the event has {len(value)} bytes, at most {VALUE_BYTES_MAX} are taken")
    identity = blake2b(f"{tenant}\x00{attributes['source']}\x00{attributes['id']}".encode(), digest_size=16).digest()
    digest = blake2b(value, digest_size=8).digest()
    if isinstance(body, BusinessDayClosed):
        return Checked(identity, digest, _close(body, attributes, topic))
    return Checked(identity, digest, [_record(topic, body.record_key(), value, attributes)])


def _attributes(event: Mapping[str, Any], tenant: str) -> dict[str, str]:
    unknown = event.keys() - ATTRIBUTES
    if unknown:
        raise Refused(
            min(unknown), "is not an attribute of an event here; is it misspelt, or does it belong into data?"
        )
    if event.get("specversion", "1.0") != "1.0":
        raise Refused("specversion", "must be 1.0")
    found: dict[str, str] = {}
    for name in ("id", "source", "type", "time"):
        if name not in event or event[name] in (None, ""):
            raise Refused(name, "is missing")
    for name, longest in TEXT_MAX.items():
        value = event.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise Refused(name, f"must be a text of at most {longest} printable characters")
        found[name] = value
    named = event.get("tenant")
    if named is not None and named != tenant:
        raise Refused("tenant", "is not the tenant of your session or API key; leave it out or name your own")
    found["time"] = _time(event["time"])
    return found


def _time(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 40:
        raise Refused("time", "must be an RFC 3339 time such as 2017-11-05T18:04:11Z")
    return _utc_text(value)


@functools.lru_cache(maxsize=4096)
def _utc_text(value: str) -> str:
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise Refused("time", "must be an RFC 3339 time such as 2017-11-05T18:04:11Z") from error
    if instant.tzinfo is None:
        raise Refused("time", "needs an offset, for example 2017-11-05T18:04:11Z")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _topic(message_type: str) -> Topic:
    topic = TOPIC_OF.get(message_type)
    if topic is None:
        raise Refused("type", "is not a known event type; GET /v1/openapi.json lists them")
    if topic not in OPEN_TOPICS:
        raise Refused("type", f"is published by {', '.join(topic.producers)} and not taken from outside")
    return topic


def _body(message_type: str, data: Any, tenant: str) -> Message:
    if not isinstance(data, dict):
        raise Refused("data", "must be a JSON object")
    if data.get("tenant", tenant) != tenant:
        raise Refused("data.tenant", "is not the tenant of your session or API key; leave it out or name your own")
    try:
        return strict(message_type).model_validate({**data, "tenant": tenant})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(["data", *(str(part) for part in first["loc"])])
        raise Refused(place, first["msg"]) from error


def _close(body: BusinessDayClosed, attributes: dict[str, str], topic: Topic) -> list[Record]:
    """A business-day close goes to every partition, so that each closes its own items behind their last sale."""
    places = range(topic.partitions) if body.partition is None else [body.partition]
    if body.partition is not None and body.partition >= topic.partitions:
        raise Refused(
            "data.partition", f"the topic has {topic.partitions} partitions; leave it out to close all of them"
        )
    records = []
    for place in places:
        one = body.model_copy(update={"partition": place})
        own = (
            attributes
            if body.partition is not None
            else attributes | {"id": derived_id("close", attributes["source"], attributes["id"], str(place))}
        )
        value = one.model_dump_json(exclude_none=True).encode()
        records.append(_record(topic, one.record_key(), value, own | {"tenant": body.tenant}, place))
    return records


def _record(topic: Topic, key: str, value: bytes, attributes: dict[str, str], partition: int | None = None) -> Record:
    tenant = key.partition("/")[0]
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", attributes["id"].encode()),
        ("ce_source", attributes["source"].encode()),
        ("ce_type", attributes["type"].encode()),
        ("ce_time", attributes["time"].encode()),
        ("ce_tenant", attributes.get("tenant", tenant).encode()),
        ("ce_partitionkey", key.encode()),
        ("content-type", b"application/json"),
    ]
    for name in ("subject", "correlationid", "causationid"):
        if name in attributes:
            headers.append((f"ce_{name}", attributes[name].encode()))
    if TRACEPARENT_FIELD in attributes:
        headers.append((TRACEPARENT_FIELD, attributes[TRACEPARENT_FIELD].encode()))
    return Record(topic, key.encode(), value, headers, partition)
