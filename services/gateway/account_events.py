"""What is done to accounts and keys, as events for the audit log: said in the transaction that does it, or not at all."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kit import outbox
from kit.database import Transaction
from kit.events import outgoing
from schemas.accounts import AccountChanged, ApiKeyChanged
from schemas.base import Message
from services.gateway.store.rows import Row

Change = Literal["made", "changed", "closed", "reopened", "password_renewed", "password_set", "sessions_ended"]


@dataclass(frozen=True, slots=True)
class By:
    """Who did it, acting as what: `admin`, `self`, `identity_provider` or `installation`; and when."""

    subject: str
    role: str
    at: datetime


def fresh(username: str, name: str, roles: Sequence[str]) -> Row:
    """An account of ours as it is when it was just made: open, with a password."""
    return {"username": username, "name": name, "roles": list(roles), "active": True, "by_provider": False}


async def account_changed(
    tx: Transaction, tenant: str, change: Change, account: Row, by: By, *, roles_before: list[str] | None = None
) -> None:
    """`account` is what it is afterwards: username, name, roles, active, by_provider."""
    change_id = str(uuid.uuid4())
    body = AccountChanged(
        tenant=tenant,
        change_id=change_id,
        username=account["username"],
        change=change,
        name=account["name"],
        roles=tuple(sorted(account["roles"])),
        roles_before=None if roles_before is None else tuple(sorted(roles_before)),
        active=account["active"],
        signs_in_by="provider" if account["by_provider"] else "password",
        changed_by=by.subject,
        role=by.role,
        changed_at=by.at,
    )
    await _say(tx, body, change_id, by)


async def account_differs(tx: Transaction, tenant: str, before: Row, after: Row, by: By) -> None:
    """What was changed of an account, one event for each kind of change; none when it is as it was."""
    if before["active"] != after["active"]:
        await account_changed(tx, tenant, "reopened" if after["active"] else "closed", after, by)
    if before["name"] != after["name"] or sorted(before["roles"]) != sorted(after["roles"]):
        await account_changed(tx, tenant, "changed", after, by, roles_before=before["roles"])


async def key_changed(tx: Transaction, tenant: str, change: Literal["made", "revoked"], key: Row, by: By) -> None:
    change_id = str(uuid.uuid4())
    fields: dict[str, Any] = {name: key[name] for name in ("key_id", "name", "expires_at")}
    body = ApiKeyChanged(
        tenant=tenant,
        change_id=change_id,
        change=change,
        scopes=tuple(sorted(key["scopes"])),
        changed_by=by.subject,
        role=by.role,
        changed_at=by.at,
        **fields,
    )
    await _say(tx, body, change_id, by)


async def _say(tx: Transaction, body: Message, change_id: str, by: By) -> None:
    await outbox.enqueue(tx, [outgoing(body, service="gateway", cause=change_id, time=by.at)])
