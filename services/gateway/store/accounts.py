"""Accounts, sessions, API keys and preferences."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kit.database import Transaction
from services.gateway.domain.sign_on import Arrival
from services.gateway.store.rows import Row, loaded


async def account(tx: Transaction, tenant: str, username: str) -> Row | None:
    row = await tx.fetchrow("select * from accounts where tenant = $1 and username = $2", tenant, username)
    return dict(row) if row else None


_LISTED = "username, name, roles, active, last_sign_in_at, sign_on_subject is not null as by_provider"


async def accounts(tx: Transaction, tenant: str) -> list[Row]:
    rows = await tx.fetch(f"select {_LISTED} from accounts where tenant = $1 order by username", tenant)
    return [dict(row) for row in rows]


async def colleagues(tx: Transaction, tenant: str) -> list[Row]:
    """Who works here: name and user name of every open account."""
    rows = await tx.fetch("select username, name from accounts where tenant = $1 and active order by username", tenant)
    return [dict(row) for row in rows]


async def locked_account(tx: Transaction, tenant: str, username: str) -> Row | None:
    """One of them, held until the transaction ends."""
    row = await tx.fetchrow(
        f"select {_LISTED} from accounts where tenant = $1 and username = $2 for update", tenant, username
    )
    return dict(row) if row else None


async def make_account(
    tx: Transaction, tenant: str, username: str, *, name: str, roles: Sequence[str], password_hash: str
) -> bool:
    """Whether there was no such account; one that exists is left as it is."""
    made = await tx.fetchval(
        "insert into accounts (tenant, username, name, roles, password_hash) values ($1, $2, $3, $4, $5)"
        " on conflict do nothing returning true",
        tenant,
        username,
        name,
        list(roles),
        password_hash,
    )
    return bool(made)


async def change_account(
    tx: Transaction, tenant: str, username: str, *, name: str, roles: Sequence[str], active: bool
) -> None:
    """A closed account's sessions end."""
    await tx.execute(
        "update accounts set name = $3, roles = $4, active = $5 where tenant = $1 and username = $2",
        tenant,
        username,
        name,
        list(roles),
        active,
    )
    if not active:
        await end_sessions(tx, tenant, username)


async def administrators(tx: Transaction, tenant: str) -> int:
    """Open administrators with a password, each held until the transaction ends: two cannot close each other at once."""
    rows = await tx.fetch(
        "select username from accounts where tenant = $1 and active and 'admin' = any(roles) and password_hash is not null"
        " order by username for update",
        tenant,
    )
    return len(rows)


async def set_password(tx: Transaction, tenant: str, username: str, password_hash: str, spared: bytes = b"") -> None:
    """A new password; every session ends but the one whose token has the hash `spared`."""
    await rehash(tx, tenant, username, password_hash)
    await end_sessions(tx, tenant, username, spared)


async def put_account(
    tx: Transaction, tenant: str, username: str, *, name: str, roles: Sequence[str], password_hash: str
) -> None:
    """Make or replace an account; its sessions end, because its password changed."""
    await tx.execute(
        "insert into accounts (tenant, username, name, roles, password_hash) values ($1, $2, $3, $4, $5)"
        " on conflict (tenant, username) do update set name = $3, roles = $4, password_hash = $5, active = true",
        tenant,
        username,
        name,
        list(roles),
        password_hash,
    )
    await end_sessions(tx, tenant, username)


async def rehash(tx: Transaction, tenant: str, username: str, password_hash: str) -> None:
    """Keep the same password under newer hash parameters."""
    await tx.execute(
        "update accounts set password_hash = $3 where tenant = $1 and username = $2", tenant, username, password_hash
    )


async def signed_on(tx: Transaction, tenant: str, arrival: Arrival) -> Row | None:
    """The account of a person whom the identity provider vouches for, found by who it is, never by a name."""
    row = await tx.fetchrow(
        f"select {_LISTED} from accounts where tenant = $1 and sign_on_issuer = $2 and sign_on_subject = $3 for update",
        tenant,
        arrival.issuer,
        arrival.subject,
    )
    return dict(row) if row else None


async def make_signed_on(tx: Transaction, tenant: str, arrival: Arrival) -> None:
    """A first account, without a password; nothing happens when the name, or the person, has one already."""
    await tx.execute(
        "insert into accounts (tenant, username, name, roles, sign_on_issuer, sign_on_subject)"
        " values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        tenant,
        arrival.username,
        arrival.name,
        list(arrival.roles),
        arrival.issuer,
        arrival.subject,
    )


async def refresh_signed_on(tx: Transaction, tenant: str, username: str, arrival: Arrival) -> None:
    """What the provider says today holds for every session; without any role none of them lives on."""
    await tx.execute(
        "update accounts set name = $3, roles = $4 where tenant = $1 and username = $2",
        tenant,
        username,
        arrival.name,
        list(arrival.roles),
    )
    if not arrival.roles:
        await end_sessions(tx, tenant, username)


async def open_session(
    tx: Transaction, tenant: str, username: str, token_sha256: bytes, now: datetime, expires_at: datetime
) -> None:
    await tx.execute(
        "insert into sessions (tenant, token_sha256, username, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        tenant,
        token_sha256,
        username,
        now,
        expires_at,
    )
    await tx.execute(
        "update accounts set last_sign_in_at = $3 where tenant = $1 and username = $2", tenant, username, now
    )
    await tx.execute("delete from sessions where tenant = $1 and expires_at < $2", tenant, now)


async def end_sessions(tx: Transaction, tenant: str, username: str, spared: bytes = b"") -> None:
    """All of an account, but the one whose token has the hash `spared`."""
    await tx.execute(
        "delete from sessions where tenant = $1 and username = $2 and token_sha256 <> $3", tenant, username, spared
    )


async def session(tx: Transaction, tenant: str, token_sha256: bytes, now: datetime) -> Row | None:
    """The account behind a live session, or None."""
    row = await tx.fetchrow(
        "select s.username, s.expires_at, s.seen_as, a.name, a.roles from sessions s join accounts a using (tenant, username)"
        " where s.tenant = $1 and s.token_sha256 = $2 and s.expires_at > $3 and a.active",
        tenant,
        token_sha256,
        now,
    )
    return dict(row) if row else None


async def take_seat(tx: Transaction, tenant: str, token_sha256: bytes, seat: str | None) -> None:
    """In which role this session is looked at from now on."""
    await tx.execute(
        "update sessions set seen_as = $3 where tenant = $1 and token_sha256 = $2", tenant, token_sha256, seat
    )


async def close_session(tx: Transaction, tenant: str, token_sha256: bytes) -> None:
    await tx.execute("delete from sessions where tenant = $1 and token_sha256 = $2", tenant, token_sha256)


async def put_key(tx: Transaction, tenant: str, row: Row) -> None:
    await tx.execute(
        "insert into api_keys (tenant, key_id, name, prefix, secret_sha256, scopes, created_by, created_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant,
        row["key_id"],
        row["name"],
        row["prefix"],
        row["secret_sha256"],
        row["scopes"],
        row["created_by"],
        row["created_at"],
        row["expires_at"],
    )


async def key(tx: Transaction, tenant: str, secret_sha256: bytes, now: datetime) -> Row | None:
    """A usable key, marked as used now."""
    row = await tx.fetchrow(
        "update api_keys set last_used_at = $3 where tenant = $1 and secret_sha256 = $2 and expires_at > $3 and revoked_at is null"
        " returning key_id, name, scopes, expires_at",
        tenant,
        secret_sha256,
        now,
    )
    return dict(row) if row else None


async def keys(tx: Transaction, tenant: str) -> list[Row]:
    rows = await tx.fetch(
        "select key_id, name, prefix, scopes, created_by, created_at, expires_at, last_used_at, revoked_at from api_keys"
        " where tenant = $1 order by created_at desc, key_id",
        tenant,
    )
    return [dict(row) for row in rows]


async def revoke_key(tx: Transaction, tenant: str, key_id: str, now: datetime) -> Row | None:
    """The key as it is then; None when there is none. Revoked again, it keeps the time of the first."""
    row = await tx.fetchrow(
        "update api_keys set revoked_at = coalesce(revoked_at, $3) where tenant = $1 and key_id = $2"
        " returning key_id, name, scopes, expires_at, revoked_at",
        tenant,
        key_id,
        now,
    )
    return dict(row) if row else None


async def preferences(tx: Transaction, tenant: str, username: str) -> dict[str, Any]:
    body = await tx.fetchval("select body from preferences where tenant = $1 and username = $2", tenant, username)
    return loaded(body) if body is not None else {}


async def put_preferences(tx: Transaction, tenant: str, username: str, body: str) -> None:
    await tx.execute(
        "insert into preferences (tenant, username, body) values ($1, $2, $3::jsonb)"
        " on conflict (tenant, username) do update set body = excluded.body",
        tenant,
        username,
        body,
    )
