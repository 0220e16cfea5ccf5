"""The catalogue's topics on a broker: made, compared, removed. Running it twice changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from cli.errors import Trouble
from schemas import topics as catalogue
from schemas.topics import Topic

DAY_MILLISECONDS = 86_400_000
# What could not be read is kept long enough to be repaired, never for ever.
DEAD_RETENTION_DAYS = 400
# Survives the loss of one broker while another is being replaced; a cluster of one keeps one copy.
COPIES_WANTED = 3
# How long a broker may take to show a topic it has just made.
VISIBLE_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic as it should be on the broker."""

    name: str
    partitions: int
    settings: dict[str, str]


@dataclass(slots=True)
class Outcome:
    """What `ensure` found and did, by topic name."""

    created: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def wanted(namespace: str, topics: Iterable[Topic] = catalogue.ALL) -> list[Wanted]:
    """Every topic of the catalogue and its dead-letter twin, under `namespace`.

    Records are stamped when they are appended: the event's own time is in `ce_time`, may be years old, and must not
    make Kafka's retention delete what has just been written.
    """
    found = []
    for topic in topics:
        days = topic.retention_days
        found.append(
            Wanted(
                topic.on(namespace),
                topic.partitions,
                {
                    "cleanup.policy": "compact" if topic.compacted else "delete",
                    "retention.ms": str(-1 if days < 0 else days * DAY_MILLISECONDS),
                    "message.timestamp.type": "LogAppendTime",
                },
            )
        )
        dead = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
        dead["retention.ms"] = str(DEAD_RETENTION_DAYS * DAY_MILLISECONDS)
        found.append(Wanted(topic.dead_on(namespace), 1, dead))
    return found


async def ensure(bootstrap: str, namespace: str) -> Outcome:
    """Make what is missing, correct settings, return when every topic can be written to.

    Raises Trouble: topic_partitions_differ (the count decides where a key lives, so it is never changed by itself),
    kafka_refused.
    """
    plan = wanted(namespace)
    outcome = Outcome()
    async with _admin(bootstrap) as admin:
        seen = await _partitions(admin, [topic.name for topic in plan])
        missing = [topic for topic in plan if topic.name not in seen]
        if missing:
            outcome.created = await _create(admin, missing)
            seen |= await _await_visible(admin, missing)
            await _await_coordinator(admin, namespace)
        for topic in plan:
            if seen[topic.name] != topic.partitions:
                raise _partitions_differ(topic, seen[topic.name])
        present = [topic for topic in plan if topic.name not in outcome.created]
        for topic in await _drifted(admin, present):
            await _correct(admin, topic)
            outcome.corrected.append(topic.name)
        changed = {*outcome.created, *outcome.corrected}
        outcome.unchanged = [topic.name for topic in plan if topic.name not in changed]
    return outcome


async def remove(bootstrap: str, namespace: str) -> list[str]:
    """Delete every topic under `namespace`, with all it holds; returns their names."""
    async with _admin(bootstrap) as admin:
        names = sorted(name for name in await admin.list_topics() if name.startswith(f"{namespace}."))
        if names:
            response = await admin.delete_topics(names)
            for name, code, *_ in response.topic_error_codes:
                if code not in (0, UnknownTopicOrPartitionError.errno):
                    raise _refused(f"deleting {name}: {for_code(code).__name__}")
        return names


async def _create(admin: AIOKafkaAdminClient, topics: list[Wanted]) -> list[str]:
    """Names that were made now; one that was there already, unseen until now, is not among them."""
    brokers = (await admin.describe_cluster())["brokers"]
    copies = min(COPIES_WANTED, len(brokers))
    new = [NewTopic(t.name, t.partitions, copies, topic_configs=t.settings) for t in topics]
    response = await admin.create_topics(new, timeout_ms=30_000)
    made = []
    for name, code, *rest in response.topic_errors:
        if code == 0:
            made.append(name)
        elif code != TopicAlreadyExistsError.errno:
            raise _refused(f"creating {name}: {for_code(code).__name__} {rest[0] if rest else ''}".strip())
    return made


async def _await_visible(admin: AIOKafkaAdminClient, topics: list[Wanted]) -> dict[str, int]:
    """The controller has made them; wait until the broker that clients ask has heard of it. Their partition counts."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + VISIBLE_SECONDS_MAX
    names = [topic.name for topic in topics]
    while True:
        seen = await _partitions(admin, names)
        waiting = [name for name in names if name not in seen]
        if not waiting:
            return seen
        if loop.time() > deadline:
            raise _refused(f"{waiting[0]} was made but is not visible after {VISIBLE_SECONDS_MAX:.0f} s")
        await asyncio.sleep(0.05)


async def _await_coordinator(admin: AIOKafkaAdminClient, namespace: str) -> None:
    """Have a fresh broker make its own topic for group positions now, so that no consumer's first poll fails on it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + VISIBLE_SECONDS_MAX
    while loop.time() < deadline:
        try:
            await admin.find_coordinator(f"{namespace}.first")
            return
        except KafkaError:
            await asyncio.sleep(0.1)


async def _partitions(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Partition count by topic, of those that exist and whose partitions all have a leader."""
    known = {name for name in await admin.list_topics() if name in set(names)}
    if not known:
        return {}
    rows = await admin.describe_topics(sorted(known))
    return {
        row["topic"]: len(row["partitions"])
        for row in rows
        if row["error_code"] == 0 and row["partitions"] and all(p["leader"] >= 0 for p in row["partitions"])
    }


async def _drifted(admin: AIOKafkaAdminClient, topics: list[Wanted]) -> list[Wanted]:
    if not topics:
        return []
    resources = [ConfigResource(ConfigResourceType.TOPIC, t.name, dict.fromkeys(t.settings, "")) for t in topics]
    actual: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _code, _message, _kind, name, entries in response.resources:
            actual[name] = {entry[0]: entry[1] for entry in entries}
    return [topic for topic in topics if not topic.settings.items() <= actual.get(topic.name, {}).items()]


async def _correct(admin: AIOKafkaAdminClient, topic: Wanted) -> None:
    responses = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, topic.settings)])
    for response in responses:
        for code, message, *_ in response.resources:
            if code:
                raise _refused(f"correcting {topic.name}: {for_code(code).__name__} {message or ''}".strip())


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000)
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise _refused(f"{type(error).__name__}: {error}") from error
    finally:
        await admin.close()


def _partitions_differ(topic: Wanted, found: int) -> Trouble:
    return Trouble(
        "topic_partitions_differ",
        f"Topic {topic.name} has {found} partitions; the catalogue says {topic.partitions}.",
        why="the count decides which partition a key lives in, so it is never changed on a topic that has data",
        way_out="set schemas/topics.yaml to what the broker has, or use another COUNTERSIGN_NAMESPACE, or "
        "(local data only) `./run reset`",
    )


def _refused(why: str) -> Trouble:
    return Trouble(
        "kafka_refused",
        "Kafka did not do what was asked about topics.",
        why=why,
        way_out="check that this user may create and describe topics there, then run the same command again",
    )
