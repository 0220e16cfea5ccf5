"""The door: turns a session cookie or an API key into a caller, and lets it through the routes its role or scope allows.

One interface, `identify`: a session is a session, whether a password or the identity provider opened it. The tenant
comes from the session or key and from nothing else in the request.
"""

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from kit.clock import Clock
from kit.database import Database
from kit.http import Problem
from kit.identity import Principal
from services.gateway.domain import access as rules
from services.gateway.domain.credentials import KEY_MARK, SECRET_BYTES, SESSION_MARK, Secret, read_secret, write_secret
from services.gateway.domain.limits import Limiter
from services.gateway.domain.origin import may_change
from services.gateway.settings import GatewaySettings
from services.gateway.store import accounts, coverage

__all__ = ["Caller", "Door", "Principal", "authorise", "caller", "identify", "page_principal"]

COOKIE = "countersign_session"
# With this prefix a browser keeps the cookie only if it is Secure, host-only and for "/": no sibling host can plant one.
HOST_ONLY = "__Host-"
CACHE_MAX = 5_000
# What a machine may ask of the owner services, by scope: they know roles, not scopes.
ROLES_OF_SCOPE = {"decide": rules.PLANNER, "plan": rules.PLANNER, "audit": rules.AUDITOR}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as the gateway knows it. `scopes` is empty for people, `principal.roles` are the owner services' view.
    `held` are all roles of a person's account, `seat` the one they look as (None: all of them). `reads_as`: whose coverage limits what this caller reads; None: nobody's, they read all of their tenant."""

    principal: Principal
    name: str
    expires_at: datetime
    scopes: frozenset[str] = frozenset()
    reads_as: tuple[str, ...] | None = None
    held: frozenset[str] = frozenset()
    seat: str | None = None

    @property
    def tenant(self) -> str:
        return self.principal.tenant

    @property
    def person_roles(self) -> frozenset[str]:
        """Roles for the route table: a machine has none, only scopes."""
        return rules.seen_as(self.held, self.seat) if self.principal.kind == "user" else frozenset()

    @property
    def reading_roles(self) -> frozenset[str]:
        """Roles that say what may be read: of a person those they look as, of a machine its own."""
        return self.person_roles or self.principal.roles


class Door:
    """Looks up sessions and keys, and remembers for a few seconds what it found."""

    def __init__(self, database: Database, settings: GatewaySettings, clock: Clock) -> None:
        self.database = database
        self.settings = settings
        self.clock = clock
        self.requests = Limiter(burst=settings.requests_per_minute, period_seconds=60.0)
        self._known: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def find(self, secret: Secret) -> Caller | None:
        """The caller behind a bearer secret, or None."""
        remembered = self._known.get(secret.sha256)
        now = self.clock.now()
        if remembered is not None and remembered[0] > time.monotonic() and remembered[1].expires_at > now:
            return remembered[1]
        async with self.database.transaction(secret.tenant) as tx:
            if secret.mark == SESSION_MARK:
                row = await accounts.session(tx, secret.tenant, secret.sha256, now)
                found = None if row is None else _person(secret.tenant, row)
            else:
                row = await accounts.key(tx, secret.tenant, secret.sha256, now)
                found = None if row is None else _machine(secret.tenant, row)
            if found is not None and not found.reading_roles & rules.READS_ALL:
                names = await coverage.readers(tx, secret.tenant, found.principal.subject, now.date())
                found = replace(found, reads_as=names)
        self.forget(secret)
        if found is not None:
            self._known[secret.sha256] = (time.monotonic() + self.settings.session_cache_seconds, found)
            while len(self._known) > CACHE_MAX:
                self._known.popitem(last=False)
        return found

    def forget(self, secret: Secret | None = None) -> None:
        """Look up again next time: one secret, or (None) all of them."""
        if secret is None:
            self._known.clear()
        else:
            self._known.pop(secret.sha256, None)

    async def open_session(self, tenant: str, username: str, hours: float | None = None) -> tuple[Secret, datetime]:
        """A new session of an account whose password was right, or for whom its provider vouches; it lasts `hours`."""
        secret = write_secret(SESSION_MARK, tenant, secrets.token_bytes(SECRET_BYTES + 6))
        now = self.clock.now()
        expires_at = now + timedelta(hours=hours or self.settings.session_hours)
        async with self.database.transaction(tenant) as tx:
            await accounts.open_session(tx, tenant, username, secret.sha256, now, expires_at)
        return secret, expires_at


def _person(tenant: str, row: dict[str, Any]) -> Caller:
    held, seat = frozenset(row["roles"]), row["seen_as"]
    # Who administers or audits decides nothing, also from another seat: what forbids goes along.
    roles = rules.seen_as(held, seat) | (held & rules.READS_ALL)
    principal = Principal(tenant, row["username"], roles, "user")
    return Caller(principal, row["name"], row["expires_at"], held=held, seat=seat)


def _machine(tenant: str, row: dict[str, Any]) -> Caller:
    scopes = frozenset(row["scopes"])
    roles = frozenset(ROLES_OF_SCOPE[scope] for scope in scopes if scope in ROLES_OF_SCOPE)
    return Caller(Principal(tenant, f"key:{row['key_id']}", roles, "machine"), row["name"], row["expires_at"], scopes)


def read_cookie(request: Request, name: str) -> str:
    """What `put_cookie` gave the browser to keep, unchecked; empty when there is nothing."""
    return request.cookies.get(_name_of(request, name), "")


def put_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    """Give the browser something to keep that no script and no other site's form may use."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        _name_of(request, name), value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax"
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    secure = request.url.scheme == "https"
    response.delete_cookie(_name_of(request, name), path="/", secure=secure, httponly=True, samesite="lax")


def _name_of(request: Request, name: str) -> str:
    """Over https the cookie is Secure and bound to this host; over plain http (loopback, a test) browsers refuse both."""
    return f"{HOST_ONLY}{name}" if request.url.scheme == "https" else name


def set_cookie(request: Request, response: Response, secret: Secret, hours: float) -> None:
    put_cookie(request, response, COOKIE, secret.text, int(hours * 3600))


def address_of(request: Request) -> str:
    """The network address a request came from, for limits."""
    return request.client.host if request.client else "unknown"


def session_secret(request: Request) -> Secret | None:
    """The session token of the request's cookie, unchecked."""
    secret = read_secret(read_cookie(request, COOKIE))
    return secret if secret is not None and secret.mark == SESSION_MARK else None


async def identify(request: Request) -> Caller | None:
    """Who is asking, or None. An Authorization header, once given, must be good: it never falls back to the cookie."""
    door: Door = request.app.state.door
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        secret = read_secret(token.strip()) if scheme.lower() == "bearer" else None
        found = await door.find(secret) if secret is not None and secret.mark == KEY_MARK else None
        if found is None:
            raise Problem(
                401,
                "bad_key",
                "The API key is not valid",
                "It is mistyped, expired or revoked; ask an administrator for a new one.",
            )
        return found
    secret = session_secret(request)
    if secret is None:
        return None
    found = await door.find(secret)
    if found is not None:
        refuse_cross_site(request)
    return found


def refuse_cross_site(request: Request) -> None:
    """Raise Problem 403 when another site's page could have sent this request."""
    headers = request.headers
    if not may_change(
        method=request.method,
        sec_fetch_site=headers.get("sec-fetch-site"),
        origin=headers.get("origin"),
        host=headers.get("host"),
        content_type=headers.get("content-type"),
    ):
        raise Problem(
            403,
            "cross_site",
            "The request came from another site",
            "Open this page of Countersign itself and try again.",
        )


async def authorise(request: Request, response: Response) -> Caller | None:
    """Dependency of every /v1 route: deny unless the route table lets this caller in."""
    route = request.scope.get("route")
    path = route.path if isinstance(route, APIRoute) else ""
    rule = rules.rule_for(request.method, path)
    if rule is None:
        raise Problem(
            403, "route_closed", "Nobody may call this", f"{request.method} {path} is not in the table of routes."
        )
    if rule.public:
        return None
    found = await identify(request)
    if found is None:
        raise Problem(
            401,
            "not_signed_in",
            "You are not signed in",
            "Sign in, or send an API key.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if not rule.admits(found.person_roles, found.scopes):
        needed = (
            f"scope {rule.scope}"
            if found.scopes and rule.scope
            else f"role {' or '.join(sorted(rule.roles)) or '(none)'}"
        )
        raise Problem(403, "role_missing", "Your role does not allow this", f"{request.method} {path} needs {needed}.")
    _meter(request, response, found, counted=rule.scope != "ingest")
    request.state.caller = found
    return found


def _meter(request: Request, response: Response, found: Caller, *, counted: bool) -> None:
    """Count the request against its caller's minute; events have their own limit (what Kafka can take)."""
    if not counted:
        return
    limiter = request.app.state.door.requests
    key, now = f"{found.tenant}/{found.principal.subject}", time.monotonic()
    wait = limiter.retry_after_seconds(key, now)
    policy = f'"default";q={limiter.burst};w={int(limiter.period_seconds)}'
    if wait > 0:
        headers = {
            "Retry-After": str(int(wait) + 1),
            "RateLimit-Policy": policy,
            "RateLimit": f'"default";r=0;t={int(wait) + 1}',
        }
        raise Problem(
            429, "too_many_requests", "Too many requests", f"Try again in {int(wait) + 1} s.", headers=headers
        )
    limiter.take(key, now)
    response.headers["RateLimit-Policy"] = policy
    response.headers["RateLimit"] = f'"default";r={limiter.remaining(key, now)};t={int(limiter.period_seconds)}'


async def caller(found: Annotated[Caller | None, Depends(authorise)]) -> Caller:
    """The caller of a route that is not public. Async, because a plain function would be called in another thread."""
    if found is None:
        raise Problem(401, "not_signed_in", "You are not signed in", "Sign in, or send an API key.")
    return found


async def page_principal(request: Request) -> Principal | None:
    """For pages: who is signed in, in the roles they look as, or None, when a page sends the visitor to the sign-in."""
    found = await identify(request)
    return None if found is None else replace(found.principal, roles=found.reading_roles)
