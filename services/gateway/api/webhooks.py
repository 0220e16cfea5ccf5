"""Webhooks: where other systems are told what happened, signed by the Standard Webhooks specification."""

import uuid
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.http import Problem
from services.gateway.api import models
from services.gateway.api.shared import Limit, Parts, Who, not_found
from services.gateway.domain import webhooks as rules
from services.gateway.notices.deliver import NotAllowed, judged_address
from services.gateway.store import notices
from services.gateway.store.rows import instant

router = APIRouter(prefix="/v1", tags=["webhooks"])
Kind = Literal["assigned", "escalated", "due", "released", "mentioned"]
# Both secrets sign for a day, so that a receiver changes over without missing one.
FORMER_SECRET = timedelta(days=1)


class NewWebhook(BaseModel):
    """Where to, and about what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://flows.example.com/countersign", "kinds": ["assigned", "released"]}]
        },
    )
    url: Annotated[str, Field(min_length=8, max_length=rules.URL_CHARACTERS_MAX)]
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=5)]


class WebhookView(models.View):
    """A webhook and how its deliveries stand; never its secret."""

    webhook_id: str
    url: str
    kinds: list[str]
    created_by: str
    created_at: str
    disabled_at: str | None
    disabled_because: str | None
    waiting: int
    delivered: int
    failed: int


class SecretView(models.View):
    """The signing secret: shown in this answer and never again."""

    webhook_id: str
    secret: str


class DeliveryView(models.View):
    """One notice on its way to one webhook."""

    notice_id: str
    kind: str
    at: str
    state: str
    attempts: int
    next_at: str | None
    last_status: int | None
    last_error: str | None
    delivered_at: str | None


@router.get("/webhooks", summary="Webhooks")
async def listed(who: Who, parts: Parts) -> models.Listed[WebhookView]:
    """Each with how many deliveries wait, arrived and failed."""
    async with parts.database.transaction(who.tenant) as tx:
        rows = await notices.webhooks(tx, who.tenant)
    times = ("created_at", "disabled_at")
    return models.Listed(
        items=[
            WebhookView(**{name: instant(value) if name in times else value for name, value in row.items()})
            for row in rows
        ]
    )


@router.post("/webhooks", status_code=201, summary="Add a webhook")
async def add(body: NewWebhook, who: Who, parts: Parts, response: Response) -> SecretView:
    """`secret` signs every delivery (`webhook-signature`, HMAC-SHA256 of `id.timestamp.body`); it is shown only here.

    Each delivery is tried ten times in about three days; 410 ends the webhook, a redirect is a failure.
    """
    await _demand_callable(body.url, parts.settings.webhook_networks)
    row = {
        "webhook_id": str(uuid.uuid4()),
        "url": body.url,
        "kinds": sorted(set(body.kinds)),
        "secret": rules.new_secret(),
        "created_by": who.principal.subject,
        "created_at": parts.clock.now(),
    }
    async with parts.database.transaction(who.tenant) as tx:
        await notices.put_webhook(tx, who.tenant, row)
    response.headers["Cache-Control"] = "no-store"
    return SecretView(webhook_id=row["webhook_id"], secret=row["secret"])


async def _demand_callable(url: str, allowed: Any) -> None:
    """Judged when it is saved, and again at every delivery, because a name may lead elsewhere by then."""
    reason = rules.problem_of_url(url)
    if reason is None:
        parts = urlsplit(url)
        try:
            await judged_address(parts.hostname or "", parts.port or 443, allowed)
        except NotAllowed as refused:
            reason = str(refused)
        except (OSError, UnicodeError):
            reason = "has a host whose name leads nowhere"
    if reason is not None:
        raise Problem(
            422,
            "webhook_url_invalid",
            "This is not the address of a webhook",
            f"The address {reason}."[:400],
            errors=[{"field": "url", "reason": reason}],
        )


@router.post("/webhooks/{webhook_id}/secret", summary="Replace the secret of a webhook")
async def replace_secret(webhook_id: str, who: Who, parts: Parts, response: Response) -> SecretView:
    """For a day deliveries carry two signatures, by the new and by the former secret."""
    secret = rules.new_secret()
    async with parts.database.transaction(who.tenant) as tx:
        found = await notices.replace_secret(tx, who.tenant, webhook_id, secret, parts.clock.now() + FORMER_SECRET)
    if not found:
        raise not_found("webhook", webhook_id)
    response.headers["Cache-Control"] = "no-store"
    return SecretView(webhook_id=webhook_id, secret=secret)


@router.delete("/webhooks/{webhook_id}", status_code=204, summary="Remove a webhook")
async def remove(webhook_id: str, who: Who, parts: Parts) -> None:
    """What waits for it is dropped."""
    async with parts.database.transaction(who.tenant) as tx:
        found = await notices.remove_webhook(tx, who.tenant, webhook_id)
    if not found:
        raise not_found("webhook", webhook_id)


@router.get("/webhooks/{webhook_id}/deliveries", summary="The newest deliveries of a webhook")
async def deliveries(webhook_id: str, who: Who, parts: Parts, limit: Limit = 50) -> models.Listed[DeliveryView]:
    """Newest first, with every attempt's outcome."""
    async with parts.database.transaction(who.tenant) as tx:
        if not await notices.is_webhook(tx, who.tenant, webhook_id):
            raise not_found("webhook", webhook_id)
        rows = await notices.deliveries(tx, who.tenant, webhook_id, limit)
    times = ("at", "next_at", "delivered_at")
    return models.Listed(
        items=[
            DeliveryView(**{name: instant(value) if name in times else value for name, value in row.items()})
            for row in rows
        ]
    )


@router.post("/webhooks/{webhook_id}/deliveries/{notice_id}/again", status_code=204, summary="Deliver once more")
async def deliver_again(webhook_id: str, notice_id: str, who: Who, parts: Parts) -> None:
    """The same id and body, so that a receiver that has it already can tell."""
    async with parts.database.transaction(who.tenant) as tx:
        found = await notices.again(tx, who.tenant, webhook_id, notice_id, parts.clock.now())
    if not found:
        raise not_found("delivery", notice_id)
