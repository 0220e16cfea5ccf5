"""Where reading is limited to what a person covers: which routes answer, and that the thing asked about is one of theirs."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from kit.http import Problem
from services.gateway.access import Caller, authorise
from services.gateway.api.shared import Parts, not_found
from services.gateway.context import Context
from services.gateway.domain import covered
from services.gateway.store import coverage


async def within_coverage(request: Request, parts: Parts, found: Annotated[Caller | None, Depends(authorise)]) -> None:
    """Dependency of every /v1 route. Raises Problem 403 where an answer would be about the whole tenant, 404 for a thing
    outside what the caller covers: as for another tenant's, nothing says that it exists."""
    if found is None or found.reads_as is None:
        return
    route = request.scope.get("route")
    path = route.path if isinstance(route, APIRoute) else ""
    if not covered.is_open(request.method, path):
        raise Problem(
            403,
            "outside_coverage",
            "This is about more than you cover",
            "It is about the whole tenant, and the approval matrix limits what you read to what you cover. Ask an auditor or"
            f" administrator, or for an entry without limits under Policy. ({request.method} {path})",
        )
    named = request.path_params
    if "sku" in named and "location" in named:
        await must_cover_item(parts, found, named["sku"], named["location"])
    elif "recommendation_id" in named:
        async with parts.reading(found) as tx:
            if not await coverage.covers_recommendation(tx, found.tenant, named["recommendation_id"]):
                raise not_found("recommendation", named["recommendation_id"])
    elif "comment_id" in named:
        async with parts.reading(found) as tx:
            if not await coverage.covers_comment(tx, found.tenant, named["comment_id"]):
                raise not_found("comment", named["comment_id"])
    elif "order_id" in named:
        async with parts.reading(found) as tx:
            if not await coverage.covers_order(tx, found.tenant, named["order_id"]):
                raise not_found("order", named["order_id"])


async def must_cover_item(parts: Context, who: Caller, sku: str, location: str) -> None:
    """Raise Problem 404 when what this caller reads is limited and the item is outside."""
    if who.reads_as is None:
        return
    async with parts.reading(who) as tx:
        if not await coverage.covers_item(tx, who.tenant, sku, location):
            raise not_found("item", f"{sku}/{location}")
