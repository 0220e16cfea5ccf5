"""One event of a batch, from parsed JSON to what is written to Kafka, or to the field and reason it is refused for."""

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from kernel.ids import derived_id
from kit.events import VALUE_BYTES_MAX
from schemas import topics
from schemas.base import Message, utc
from schemas.demand import BusinessDayClosed
from schemas.registry import strict
from schemas.topics import TOPIC_OF, Topic
from services.gateway.ingest.fragments import writer
from services.gateway.ingest.usual import Header, key_of, partition_of

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
    "datacontenttype": 100,
}
TIME_MAX = 40
NEEDED = ("id", "source", "type", "time")
# Attributes that a record carries only when the event does, and under which header.
OPTIONAL_HEADERS = {
    "subject": "ce_subject",
    "correlationid": "ce_correlationid",
    "causationid": "ce_causationid",
    "traceparent": "traceparent",
}
SPECVERSION_HEADER = ("ce_specversion", b"1.0")
CONTENT_HEADER = ("content-type", b"application/json")
CACHED = 8_192


class Refused(ValueError):
    """This event is not taken: `field` names the place, `reason` says what is wrong and what would be right."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.field = place
        self.reason = reason


class Record(NamedTuple):
    """What goes to Kafka. `partition`: the one its key belongs to, or that it closes."""

    topic: Topic
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int


class Checked(NamedTuple):
    """An event that is taken: its identity, a digest of its content (both for this process only), and its records."""

    identity: str
    digest: int
    records: Sequence[Record]


def check(event: Any, tenant: str) -> Checked:
    """Check one event of `tenant`'s caller. Raises Refused."""
    if not isinstance(event, dict):
        raise Refused("", "an event is a JSON object with id, source, type, time and data")
    attributes = _attributes(event, tenant)
    message_type = attributes["type"]
    topic = _topic(message_type)
    data = _data(event.get("data"), tenant)
    fast = writer(message_type)
    value = fast.write(data, tenant) if fast is not None else None
    body: Message | None = None
    if value is None:
        body = _body(message_type, data, tenant)
        value, key = body.model_dump_json(exclude_none=True).encode(), body.record_key().encode()
        partition = partition_of(key, topic.partitions)
    else:
        key, _header, partition = key_of(message_type, tenant, data["sku"], data["location"])
    if len(value) > VALUE_BYTES_MAX:
        raise Refused("data", f"the event has {len(value)} bytes, at most {VALUE_BYTES_MAX} are taken")
    identity, digest = identity_of(tenant, attributes["source"], attributes["id"]), hash(value)
    if isinstance(body, BusinessDayClosed):
        return Checked(identity, digest, _close(body, attributes, topic))
    return Checked(identity, digest, [_record(topic, key, value, attributes, tenant, partition)])


def identity_of(tenant: str, source: str, event_id: str = "") -> str:
    """What tells an event of a tenant from all others; without its id, what the events of a source have in common."""
    return f"{tenant}\x00{source}\x00{event_id}"


def _attributes(event: Mapping[str, Any], tenant: str) -> dict[str, str]:
    """The texts of the envelope, each within its bounds, `time` in UTC. Raises Refused."""
    if not ATTRIBUTES.issuperset(event):
        raise Refused(
            min(event.keys() - ATTRIBUTES),
            "is not an attribute of an event here; is it misspelt, or does it belong into data?",
        )
    if event.get("specversion", "1.0") != "1.0":
        raise Refused("specversion", "must be 1.0")
    for name in NEEDED:
        if event.get(name) in (None, ""):
            raise Refused(name, "is missing")
    found: dict[str, str] = {}
    for name, longest in TEXT_MAX.items():
        value = event.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise Refused(name, f"must be a text of at most {longest} printable characters")
        found[name] = value
    if event.get("tenant") not in (None, tenant):
        raise Refused("tenant", "is not the tenant of your session or API key; leave it out or name your own")
    if not _is_json(found.get("datacontenttype", "application/json")):
        raise Refused("datacontenttype", "must be application/json: the data of an event is a JSON object")
    found["time"] = time_text(event["time"])
    return found


@functools.lru_cache(maxsize=128)
def _is_json(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json") or kind.endswith("+json")


def time_text(value: Any) -> str:
    """A moment in UTC, as the envelope carries it. Raises Refused."""
    if not isinstance(value, str) or len(value) > TIME_MAX:
        raise Refused("time", "must be an RFC 3339 time such as 2017-11-05T18:04:11Z")
    return _utc_text(value)


@functools.lru_cache(maxsize=CACHED)
def _utc_text(value: str) -> str:
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise Refused("time", "must be an RFC 3339 time such as 2017-11-05T18:04:11Z") from error
    try:
        return utc(instant).isoformat().replace("+00:00", "Z")
    except ValueError as error:
        raise Refused("time", str(error)) from error


@functools.lru_cache(maxsize=128)
def _topic(message_type: str) -> Topic:
    topic = TOPIC_OF.get(message_type)
    if topic is None:
        raise Refused("type", "is not a known event type; GET /v1/openapi.json lists them")
    if topic not in OPEN_TOPICS:
        raise Refused("type", f"is published by {', '.join(topic.producers)} and not taken from outside")
    return topic


def _data(data: Any, tenant: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Refused("data", "must be a JSON object")
    if data.get("tenant", tenant) != tenant:
        raise Refused("data.tenant", "is not the tenant of your session or API key; leave it out or name your own")
    return data


def _body(message_type: str, data: Mapping[str, Any], tenant: str) -> Message:
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
        records.append(_record(topic, one.record_key().encode(), value, own, body.tenant, place))
    return records


def _record(topic: Topic, key: bytes, value: bytes, attributes: dict[str, str], tenant: str, partition: int) -> Record:
    headers = [
        *usual_headers(attributes["source"], attributes["type"], tenant),
        ("ce_id", attributes["id"].encode()),
        ("ce_time", attributes["time"].encode()),
        ("ce_partitionkey", key),
    ]
    if len(attributes) > len(NEEDED):
        for name, header in OPTIONAL_HEADERS.items():
            if name in attributes:
                headers.append((header, attributes[name].encode()))
    return Record(topic, key, value, headers, partition)


@functools.lru_cache(maxsize=CACHED)
def usual_headers(source: str, message_type: str, tenant: str) -> tuple[Header, ...]:
    """What the records of one sender, type and tenant have in common."""
    said = (("ce_source", source), ("ce_type", message_type), ("ce_tenant", tenant))
    return SPECVERSION_HEADER, CONTENT_HEADER, *((name, text.encode()) for name, text in said)
