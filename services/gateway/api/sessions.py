"""Signing in and out."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from kit import telemetry
from kit.http import Problem
from services.gateway import access
from services.gateway.access import Caller
from services.gateway.accounts import PASSWORD_LENGTH_MAX, hash_password, needs_rehash
from services.gateway.api.models import SessionView
from services.gateway.api.shared import Parts, Who
from services.gateway.context import Context
from services.gateway.domain.access import VIEWER, Seat, abilities
from services.gateway.domain.limits import Limiter
from services.gateway.store import accounts
from services.gateway.store.rows import instant

router = APIRouter(prefix="/v1", tags=["session"])
log = telemetry.get_logger()
SIGN_INS = telemetry.counter("sign_ins_total", "Sign-ins by outcome", ("outcome",))
WINDOW_SECONDS = 900.0


class SignIn(BaseModel):
    """A local account's name and password; `tenant` defaults to the deployment's own."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"username": "planner", "password": "shown once at start"}]}
    )
    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=PASSWORD_LENGTH_MAX)]
    tenant: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class SeatTaken(BaseModel):
    """The role to look as; null for all that the account holds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"seat": "planner"}]})
    seat: Seat | None


class Tries:
    """Failed sign-ins, counted per account and per network address."""

    def __init__(self, per_account: int, per_address: int) -> None:
        self.account = Limiter(burst=per_account, period_seconds=WINDOW_SECONDS)
        self.address = Limiter(burst=per_address, period_seconds=WINDOW_SECONDS)

    def take(self, account: str, address: str) -> None:
        """Count a try before it is known how it ends, so that parallel guesses count too. Raises Problem 429 when there were
        too many."""
        now = time.monotonic()
        wait = max(self.account.retry_after_seconds(account, now), self.address.retry_after_seconds(address, now))
        if wait > 0:
            SIGN_INS.labels("limited").inc()
            seconds = int(wait) + 1
            raise Problem(
                429,
                "too_many_attempts",
                "Too many failed sign-ins",
                f"Wait {seconds} s and try again.",
                headers={"Retry-After": str(seconds)},
            )
        self.account.take(account, now)
        self.address.take(address, now)

    def succeeded(self, account: str, address: str) -> None:
        """Only failures count: an office of fifty behind one address signs in every morning."""
        self.account.forget(account)
        self.address.give_back(address, time.monotonic())


def view(who: Caller) -> SessionView:
    return SessionView(
        subject=who.principal.subject,
        name=who.name,
        kind=who.principal.kind,
        tenant=who.tenant,
        roles=sorted(who.person_roles),
        scopes=sorted(who.scopes),
        can=abilities(who.person_roles),
        expires_at=instant(who.expires_at) or "",
        held=sorted(who.held),
        seat=who.seat,
    )


@router.post("/session", summary="Sign in")
async def sign_in(body: SignIn, request: Request, response: Response, parts: Parts) -> SessionView:
    """Answers with a session cookie. 401 `bad_credentials`, 429 `too_many_attempts`."""
    access.refuse_cross_site(request)
    tenant, username = body.tenant or parts.settings.default_tenant, body.username.lower()
    address = access.address_of(request)
    tries: Tries = request.app.state.tries
    tries.take(f"{tenant}/{username}", address)
    row = await _checked(parts, tenant, username, body.password)
    if row is None:
        SIGN_INS.labels("refused").inc()
        log.warning("sign_in_refused", tenant=tenant, address=address)
        raise Problem(
            401, "bad_credentials", "Name or password is wrong", "Check both; an administrator can set a new password."
        )
    tries.succeeded(f"{tenant}/{username}", address)
    SIGN_INS.labels("accepted").inc()
    secret, _ = await parts.door.open_session(tenant, username)
    access.set_cookie(request, response, secret, parts.settings.session_hours)
    response.headers["Cache-Control"] = "no-store"
    found = await parts.door.find(secret)
    if found is None:
        raise Problem(401, "bad_credentials", "Name or password is wrong", "The account was closed just now.")
    return view(found)


async def _checked(parts: Context, tenant: str, username: str, password: str) -> object | None:
    async with parts.database.transaction(tenant) as tx:
        row = await accounts.account(tx, tenant, username)
    usable = row is not None and row["active"]
    if not await parts.passwords.matches(row["password_hash"] if row is not None and usable else None, password):
        return None
    if row is not None and needs_rehash(row["password_hash"]):
        async with parts.database.transaction(tenant) as tx:
            await accounts.rehash(tx, tenant, username, hash_password(password))
    return row


@router.get("/session", summary="Who is signed in")
async def session(who: Who, response: Response) -> SessionView:
    """The caller and what the pages may offer."""
    response.headers["Cache-Control"] = "no-store"
    return view(who)


@router.put("/session/seat", summary="Look at the workbench in one role")
async def take_seat(body: SeatTaken, who: Who, request: Request, parts: Parts) -> SessionView:
    """For this session, in one of the roles the account holds, as somebody who only reads (`viewer`), or (null) in all of
    them again. It takes away and gives nothing. 403 `role_not_held`."""
    if body.seat not in (None, VIEWER, *who.held):
        held = ", ".join(sorted(who.held)) or "none"
        raise Problem(403, "role_not_held", "This is not your role", f"Your account holds: {held}.")
    secret = access.session_secret(request)
    if secret is not None:
        async with parts.database.transaction(who.tenant) as tx:
            await accounts.take_seat(tx, who.tenant, secret.sha256, body.seat)
        parts.door.forget(secret)
    return view(replace(who, seat=body.seat))


@router.delete("/session", status_code=204, summary="Sign out")
async def sign_out(who: Who, request: Request, response: Response, parts: Parts) -> None:
    """Ends this session everywhere."""
    secret = access.session_secret(request)
    if secret is not None:
        parts.door.forget(secret)
        async with parts.database.transaction(who.tenant) as tx:
            await accounts.close_session(tx, who.tenant, secret.sha256)
    access.drop_cookie(request, response, access.COOKIE)
