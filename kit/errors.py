"""The errors that have a destination: a refused event goes to the dead letters, a transient fault is tried again."""

import asyncpg
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError


class Rejected(Exception):
    """This event can never be handled. It becomes a dead letter with `code`, and nothing else waits for it."""

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class Fenced(RuntimeError):
    """Another instance has taken over this one's task; this one must stop."""


# Faults of the moment: the same work may succeed when tried again. Anything else is a bug or a bad event.
TRANSIENT: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    KafkaConnectionError,
    KafkaTimeoutError,
    ConnectionError,
    TimeoutError,
    OSError,
)
