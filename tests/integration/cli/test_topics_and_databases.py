"""Topics and databases against a real broker and server: twice is the same as once, and drift is seen."""

import asyncio
import uuid

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cli.errors import Trouble
from cli.platform import databases, topics
from schemas.topics import SALES
from tests.ground import FreshDatabase, Ground

pytestmark = pytest.mark.integration


async def test_second_run_leaves_every_topic_as_it_is(platform: Ground, namespace: str) -> None:
    again = await topics.ensure(platform.kafka_bootstrap, namespace)
    assert again.created == []
    assert again.corrected == []
    assert SALES.on(namespace) in again.unchanged
    assert SALES.dead_on(namespace) in again.unchanged


async def test_changed_retention_is_put_right(platform: Ground, namespace: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka_bootstrap)
    await admin.start()
    wrong = {"retention.ms": "1000", "cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, SALES.on(namespace), wrong)])
    corrected: list[str] = []
    async with asyncio.timeout(10):  # the change reaches the broker that is asked a moment later
        while not corrected:
            corrected = (await topics.ensure(platform.kafka_bootstrap, namespace)).corrected
        while await retention(admin, SALES.on(namespace)) != "-1":
            await asyncio.sleep(0.02)
    await admin.close()
    assert corrected == [SALES.on(namespace)]


async def retention(admin: AIOKafkaAdminClient, topic: str) -> str:
    asked = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": ""})
    (response,) = await admin.describe_configs([asked])
    return str(response.resources[0][4][0][1])


async def test_another_partition_count_is_refused_and_not_changed(platform: Ground) -> None:
    strange = f"t-{uuid.uuid4().hex[:10]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(SALES.on(strange), 3, 1)])
        with pytest.raises(Trouble, match="has 3 partitions; the catalogue says 4") as refusal:
            await topics.ensure(platform.kafka_bootstrap, strange)
        assert refusal.value.code == "topic_partitions_differ"
    finally:
        assert SALES.on(strange) in await topics.remove(platform.kafka_bootstrap, strange)
        await admin.close()


async def test_service_role_enters_its_own_schema_only(database: FreshDatabase) -> None:
    url = database.url("policy")
    database.url("approvals")
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("select current_user") == "countersign_policy"
        assert await connection.fetchval("select count(*) from policy.migrations") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("select count(*) from approvals.migrations")
    finally:
        await connection.close()


async def test_second_migration_applies_nothing(database: FreshDatabase) -> None:
    database.url("policy")
    assert await databases.ensure(database.target, ["policy"]) == {"policy": []}


async def test_unreachable_server_is_named_without_its_password() -> None:
    target = databases.ServiceDatabase("postgresql://postgres:geheim@127.0.0.1:1/postgres", "anything")
    with pytest.raises(Trouble) as refusal:
        await databases.ensure(target)
    assert refusal.value.code == "database_unreachable"
    assert "127.0.0.1:1" in str(refusal.value)
    assert "geheim" not in str(refusal.value)
