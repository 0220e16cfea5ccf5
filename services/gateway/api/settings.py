"""API keys and a person's preferences."""

import secrets
from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.http import Problem
from services.gateway import account_events
from services.gateway.account_events import By
from services.gateway.api import models
from services.gateway.api.shared import Parts, Who, not_found
from services.gateway.domain.access import ADMIN, SCOPES
from services.gateway.domain.credentials import KEY_MARK, SECRET_BYTES, write_secret
from services.gateway.store import accounts
from services.gateway.store.rows import instant

router = APIRouter(prefix="/v1", tags=["settings"])
PREFERENCES_BYTES_MAX = 16_384
Scope = Literal["ingest", "read", "decide", "plan", "audit"]


class NewKey(BaseModel):
    """A key for a machine."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "till feed, north", "scopes": ["ingest"], "expires_in_days": 90}]},
    )
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expires_in_days: Annotated[int, Field(ge=1, le=730)] = 90


@router.get("/api-keys", summary="Keys of machines")
async def keys(who: Who, parts: Parts) -> models.Listed[models.KeyView]:
    """Never the secrets: only their hashes are kept."""
    async with parts.database.transaction(who.tenant) as tx:
        rows = await accounts.keys(tx, who.tenant)
    times = ("created_at", "expires_at", "last_used_at", "revoked_at")
    return models.Listed(
        items=[
            models.KeyView(**{name: instant(value) if name in times else value for name, value in row.items()})
            for row in rows
        ]
    )


@router.post("/api-keys", status_code=201, summary="Make a key")
async def make_key(body: NewKey, who: Who, parts: Parts, response: Response) -> models.NewKeyView:
    """`secret` is shown in this answer and never again."""
    secret = write_secret(KEY_MARK, who.tenant, secrets.token_bytes(SECRET_BYTES + 6))
    now = parts.clock.now()
    expires_at = now + timedelta(days=body.expires_in_days)
    scopes = sorted(set(body.scopes))
    row = {
        "key_id": secret.prefix,
        "name": body.name,
        "prefix": secret.prefix,
        "secret_sha256": secret.sha256,
        "scopes": scopes,
        "created_by": who.principal.subject,
        "created_at": now,
        "expires_at": expires_at,
    }
    async with parts.database.transaction(who.tenant) as tx:
        await accounts.put_key(tx, who.tenant, row)
        await account_events.key_changed(tx, who.tenant, "made", row, By(who.principal.subject, ADMIN, now))
    response.headers["Cache-Control"] = "no-store"
    return models.NewKeyView(
        key_id=secret.prefix,
        name=body.name,
        scopes=list(scopes),
        expires_at=instant(expires_at) or "",
        secret=secret.text,
    )


@router.delete("/api-keys/{key_id}", status_code=204, summary="Revoke a key")
async def revoke_key(key_id: str, who: Who, parts: Parts) -> None:
    """It stops working within `session_cache_seconds` on every gateway, at once on this one."""
    now = parts.clock.now()
    async with parts.database.transaction(who.tenant) as tx:
        revoked = await accounts.revoke_key(tx, who.tenant, key_id, now)
        if revoked is None:
            raise not_found("key", key_id)
        if revoked["revoked_at"] == now:  # revoked again, it stays as it was
            await account_events.key_changed(tx, who.tenant, "revoked", revoked, By(who.principal.subject, ADMIN, now))
    parts.door.forget()


@router.get("/preferences", summary="What a person set for the pages")
async def preferences(who: Who, parts: Parts) -> dict[str, Any]:
    """An empty object before anything was set."""
    if who.principal.kind != "user":
        return {}
    async with parts.database.transaction(who.tenant) as tx:
        return await accounts.preferences(tx, who.tenant, who.principal.subject)


@router.put("/preferences", status_code=204, summary="Keep what a person set for the pages")
async def put_preferences(body: dict[str, Any], who: Who, parts: Parts) -> None:
    """Replaces the whole object; at most 16 kB."""
    try:
        text = orjson.dumps(body).decode()
    except orjson.JSONEncodeError as error:
        raise UnicodeError("half a surrogate pair") from error
    if len(text) > PREFERENCES_BYTES_MAX:
        raise Problem(
            413,
            "preferences_too_large",
            "Too much to keep",
            f"At most {PREFERENCES_BYTES_MAX} bytes; this has {len(text)}.",
        )
    async with parts.database.transaction(who.tenant) as tx:
        await accounts.put_preferences(tx, who.tenant, who.principal.subject, text)
