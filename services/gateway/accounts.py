"""Passwords and who holds them: hashing behind a small door, and the first accounts of a new installation."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kit.database import Database
from services.gateway import account_events
from services.gateway.account_events import By
from services.gateway.domain.access import ADMIN, APPROVER, AUDITOR, PLANNER
from services.gateway.store import accounts

# 64 MiB and about half a second each (argon2id defaults, RFC 9106): two at once bound memory and keep a core free.
HASHES_AT_ONCE = 2
# 18 random bytes are 24 letters: more than can be guessed, short enough to type once.
PASSWORD_BYTES = 18
# Longer passwords only cost the server time.
PASSWORD_LENGTH_MAX = 256

FIRST_ACCOUNTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "planner": ("Planner", (PLANNER,)),
    "approver": ("Approver", (APPROVER,)),
    "auditor": ("Auditor", (AUDITOR,)),
    "admin": ("Administrator", (ADMIN,)),
}

_HASHER = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Credential:
    """A generated password, as it is shown once."""

    tenant: str
    username: str
    password: str
    roles: tuple[str, ...]


class Passwords:
    """Checks passwords away from the event loop, a few at a time."""

    def __init__(self) -> None:
        self._door = asyncio.Semaphore(HASHES_AT_ONCE)
        # Verified against when there is no such account, so that an answer takes as long either way.
        self._decoy = _HASHER.hash(secrets.token_urlsafe(PASSWORD_BYTES))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` is the one behind the hash; None (no account) takes the same time and is False."""
        if len(password) > PASSWORD_LENGTH_MAX:
            return False
        async with self._door:
            right = await asyncio.to_thread(_verify, password_hash or self._decoy, password)
        return right and password_hash is not None

    async def hashed(self, password: str) -> str:
        """The hash to keep of a password, made behind the same door."""
        async with self._door:
            return await asyncio.to_thread(hash_password, password)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with older parameters."""
    return _HASHER.check_needs_rehash(password_hash)


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def new_password() -> str:
    """A generated one, to be shown once."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


async def bootstrap(database_url: str, tenant: str, *, renew: bool = False) -> list[Credential]:
    """Make the first accounts of a tenant with generated passwords; returns those made now, for the caller to keep safe.

    Accounts that exist are left alone unless `renew`. `database_url` is the gateway's own role on a migrated schema.
    """
    database = await Database.open(database_url, "gateway", pool_max=2)
    try:
        made = []
        for username, (name, roles) in FIRST_ACCOUNTS.items():
            async with database.transaction(tenant) as tx:
                before = await accounts.locked_account(tx, tenant, username)
                if not renew and before is not None:
                    continue
                password = new_password()
                hashed = await asyncio.to_thread(hash_password, password)
                await accounts.put_account(tx, tenant, username, name=name, roles=roles, password_hash=hashed)
                after = account_events.fresh(username, name, roles)
                by = By("installation", "installation", datetime.now(UTC))
                if before is None:
                    await account_events.account_changed(tx, tenant, "made", after, by)
                else:
                    await account_events.account_differs(tx, tenant, before, after, by)
                    await account_events.account_changed(tx, tenant, "password_renewed", after, by)
                made.append(Credential(tenant, username, password, roles))
        return made
    finally:
        await database.close()
