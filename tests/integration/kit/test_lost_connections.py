"""A connection to the broker that goes away under the client: an error it can act on, never the silent end of a task."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

import kit.kafka  # noqa: F401  # what it gives every client of this process is what is tested
from tests.ground import Ground

pytestmark = pytest.mark.integration


def test_a_write_to_a_connection_that_is_gone_is_an_error_of_the_connection(platform: Ground) -> None:
    """On uvloop, as the services run: aiokafka alone lets its RuntimeError end the task that learns of the brokers."""
    host, _, port = platform.kafka_bootstrap.rpartition(":")

    async def scene() -> None:
        connection = await create_conn(host, int(port))
        assert (await connection.send(MetadataRequest([]))).brokers
        connection._writer.transport.abort()
        # The transport is closed after this, and the client's reader has not had its turn to learn of it.
        await asyncio.sleep(0)
        with pytest.raises(KafkaConnectionError, match="broken"):
            await connection.send(MetadataRequest([]))
        assert not connection.connected()
        with pytest.raises(KafkaConnectionError, match="No connection"):
            connection.send(MetadataRequest([]))

    uvloop.run(scene())
