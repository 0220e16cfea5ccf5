"""The two addresses of single sign-on: away to the identity provider, and back from it with a session."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from kit import telemetry
from kit.http import Problem
from services.gateway import access, account_events
from services.gateway.account_events import By
from services.gateway.api.sessions import SIGN_INS, Tries
from services.gateway.api.shared import Parts
from services.gateway.context import Context
from services.gateway.domain import sign_on as rules
from services.gateway.domain.sign_on import Arrival
from services.gateway.pages import safe_next, sign_in_page
from services.gateway.rechecking import PROVIDER, refreshed
from services.gateway.sign_on import BACK, LOGOUT
from services.gateway.store import accounts, provider_sessions

router = APIRouter(include_in_schema=False)
log = telemetry.get_logger()
COOKIE = "countersign_sign_on"
# As long as a person may take at the provider: a password, a second factor, a call to the help desk.
ATTEMPT_SECONDS = 600


@router.get("/sign-on")
async def away(request: Request, parts: Parts, target: Annotated[str, Query(alias="next")] = "/today") -> Response:
    """To the provider's own sign-in. What comes back must carry what is put into the cookie here."""
    if not parts.sign_on.is_on:
        return RedirectResponse("/sign-in", status_code=303)
    try:
        url, attempt = await parts.sign_on.begin(safe_next(target))
    except Problem as problem:
        return sign_in_page(request, target, problem)
    answer = RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})
    access.put_cookie(request, answer, COOKIE, rules.written(attempt), ATTEMPT_SECONDS)
    return answer


@router.get(BACK)
async def back(
    request: Request,
    parts: Parts,
    state: str = "",
    code: str = "",
    error: str = "",
    iss: str | None = None,
) -> Response:
    """From the provider: checked, made an account of, and on to the page that was wanted."""
    attempt = rules.read(access.read_cookie(request, COOKIE))
    target = attempt.target if attempt is not None else "/today"
    try:
        if attempt is None or not secrets.compare_digest(attempt.state.encode(), state.encode()):
            raise _expired(parts.settings.public_url)
        answer = await _welcomed(request, parts, attempt, code=code, error=error, iss=iss)
    except Problem as problem:
        SIGN_INS.labels("refused").inc()
        answer = sign_in_page(request, target, problem)
    access.drop_cookie(request, answer, COOKIE)
    return answer


async def _welcomed(
    request: Request, parts: Context, attempt: rules.Attempt, *, code: str, error: str, iss: str | None
) -> Response:
    if error or not code:
        log.info("sign_on_broken_off", error=error[:100])
        raise Problem(
            403, "sign_on_refused", "The sign-on was broken off", "The identity provider let nobody in. Try again."
        )
    tenant, address = parts.settings.default_tenant, access.address_of(request)
    tries: Tries = request.app.state.tries
    tries.take(f"{tenant}/{BACK}/{address}", address)
    arrival, word = await parts.sign_on.finish(attempt, code=code, said_issuer=iss)
    username = await _account_of(parts, tenant, arrival)
    tries.succeeded(f"{tenant}/{BACK}/{address}", address)
    settings = parts.settings
    # Whom the provider cannot be asked about again is asked to come back by way of it.
    hours = (
        settings.session_hours if word.refresh_token else min(settings.session_hours, settings.sign_on_unasked_hours)
    )
    secret, _ = await parts.door.open_session(tenant, username, hours)
    sealed = parts.seal.sealed(word.refresh_token, secret.sha256) if word.refresh_token else None
    async with parts.database.transaction(tenant) as tx:
        await provider_sessions.vouched(
            tx, tenant, secret.sha256, sid=word.sid, refresh_token=sealed, now=parts.clock.now()
        )
    answer = RedirectResponse(safe_next(attempt.target), status_code=303, headers={"Cache-Control": "no-store"})
    access.set_cookie(request, answer, secret, hours)
    SIGN_INS.labels("accepted").inc()
    return answer


async def _account_of(parts: Context, tenant: str, arrival: Arrival) -> str:
    """The user name of who came: their account, made at the first time, with the roles the provider gives them today.

    Raises Problem: sign_on_no_role, sign_on_name_taken, account_closed.
    """
    async with parts.database.transaction(tenant) as tx:
        by = By(PROVIDER, PROVIDER, parts.clock.now())
        found = await accounts.signed_on(tx, tenant, arrival)
        if found is None and arrival.roles:
            await accounts.make_signed_on(tx, tenant, arrival)
            found = await accounts.signed_on(tx, tenant, arrival)
            if found is not None:
                await account_events.account_changed(tx, tenant, "made", found, by)
        elif found is not None:
            await refreshed(tx, tenant, found, arrival, by)
    parts.door.forget()  # roles may have changed
    if not arrival.roles:
        groups = f"none of the groups in its claim `{parts.settings.sign_on_roles_claim}` gives a role here"
        raise Problem(
            403,
            "sign_on_no_role",
            "You have no role here",
            f"The identity provider knows you as {arrival.username}; {groups}.",
        )
    if found is None:
        raise Problem(
            409,
            "sign_on_name_taken",
            "This name belongs to another account",
            f"{arrival.username} exists here and is not yours. An account is never taken over by its name.",
        )
    if not found["active"]:
        raise Problem(
            403, "account_closed", "This account is closed", f"The account {found['username']} was closed here."
        )
    return str(found["username"])


@router.post(LOGOUT)
async def said_good_bye(request: Request, parts: Parts) -> Response:
    """From the provider itself: somebody signed out there, or was made to (OpenID Connect Back-Channel Logout 1.0 §2.5)."""
    headers = {"Cache-Control": "no-store"}
    token = (await request.form()).get("logout_token") if parts.sign_on.is_on else None
    if not isinstance(token, str):
        return JSONResponse({"error": "invalid_request"}, 400, headers)
    try:
        gone = await parts.sign_on.farewell(token)
    except Problem as problem:
        return JSONResponse({"error": "invalid_request", "error_description": problem.title}, 400, headers)
    tenant, by = parts.settings.default_tenant, By(PROVIDER, PROVIDER, parts.clock.now())
    async with parts.database.transaction(tenant) as tx:
        for account in await provider_sessions.end(tx, tenant, gone.issuer, gone.subject, gone.sid):
            await account_events.account_changed(tx, tenant, "sessions_ended", account, by)
    parts.door.forget()
    return Response(status_code=200, headers=headers)


def _expired(public_url: str) -> Problem:
    return Problem(
        400,
        "sign_on_expired",
        "This sign-on is not one that began here",
        f"It took more than {ATTEMPT_SECONDS // 60} minutes, or began in another browser or at another address than "
        f"{public_url}. Begin again.",
    )
