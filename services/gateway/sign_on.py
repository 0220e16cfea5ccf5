"""The identity provider over HTTP: its description and keys, a code against a person, and whether it still vouches for one."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kit import telemetry
from kit.clock import Clock
from kit.http import Problem
from services.gateway.domain import sign_on as rules
from services.gateway.domain.sign_on import Arrival, Attempt, Farewell, Provider, Untrusted
from services.gateway.settings import GatewaySettings

log = telemetry.get_logger()
BACK = "/sign-on/back"
LOGOUT = "/sign-on/logout"
T = TypeVar("T")
TIMEOUT_SECONDS = 10.0
# Providers change their keys; a token under one we do not know makes us look again, but no oftener than this.
KEYS_AGE_SECONDS_MIN = 30.0
DESCRIPTION_AGE_SECONDS_MAX = 3600.0


@dataclass(frozen=True, slots=True)
class Word:
    """What a provider gave beside a person: its name of the session, and the token to ask again with; either may be missing."""

    sid: str | None
    refresh_token: str | None


class SignOn:
    """One configured provider. `is_on` is False when none is."""

    def __init__(self, settings: GatewaySettings, clock: Clock) -> None:
        self.is_on = bool(settings.sign_on_issuer)
        self._settings = settings
        self._clock = clock
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS)
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def close(self) -> None:
        await self._client.aclose()

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to; it must be registered there, letter by letter."""
        return self._settings.public_url.rstrip("/") + BACK

    async def begin(self, target: str) -> tuple[str, Attempt]:
        """Where to send the browser, and what it must bring back. Raises Problem: sign_on_unreachable, sign_on_refused."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        made = Attempt(state, nonce, verifier, target)
        provider = await self._described()
        settings = self._settings
        url = rules.authorization_url(
            provider,
            made,
            client_id=settings.sign_on_client_id,
            redirect_uri=self.redirect_uri,
            scopes=settings.sign_on_scopes,
        )
        return url, made

    async def finish(self, attempt: Attempt, *, code: str, said_issuer: str | None) -> tuple[Arrival, Word]:
        """Who came back with `code`, and by what the provider can be asked again. Raises Problem: sign_on_unreachable,
        sign_on_refused."""
        provider = await self._described()
        try:
            if (provider.names_itself or said_issuer is not None) and said_issuer != provider.issuer:
                raise Untrusted(f"the answer names the issuer {said_issuer!r}")
            form = {"code": code, "redirect_uri": self.redirect_uri, "code_verifier": attempt.verifier}
            status, document = await self._asked(provider, "authorization_code", form)
            token = document.get("id_token")
            if status != 200 or not isinstance(token, str):
                raise Untrusted(f"the code was not exchanged: HTTP {status} {document.get('error', '')}")
            claims = await self._believed(provider, token, attempt.nonce)
        except Untrusted as error:
            raise _refused(error) from error
        sid, refresh = claims.get("sid"), document.get("refresh_token")
        word = Word(sid if isinstance(sid, str) else None, refresh if isinstance(refresh, str) else None)
        return self._arrival(claims), word

    async def again(self, refresh_token: str, subject: str) -> tuple[Arrival | None, str]:
        """Whether the provider still vouches for a person: who they are today (None: it says no more than that they are),
        and the token to ask with the next time. Raises Untrusted when it does not; Problem sign_on_unreachable."""
        provider = await self._described()
        status, document = await self._asked(provider, "refresh_token", {"refresh_token": refresh_token})
        if status >= 500 or status == 429:
            raise _unreachable(provider.token_endpoint, RuntimeError(f"HTTP {status}"))
        access = document.get("access_token")
        if status != 200 or not isinstance(access, str):
            raise Untrusted(f"it does not vouch any more: HTTP {status} {document.get('error', '')}")
        claims = await self._claims_of_today(provider, document.get("id_token"), access)
        if claims and claims.get("sub") != subject:
            raise Untrusted("it answers for another person")
        following = document.get("refresh_token")
        is_whole = self._settings.sign_on_roles_claim in claims
        return (
            self._arrival({"iss": provider.issuer, **claims}) if is_whole else None,
            following if isinstance(following, str) else refresh_token,
        )

    async def _claims_of_today(self, provider: Provider, token: object, access: str) -> dict[str, Any]:
        """From the ID token that came along, or else from the UserInfo endpoint (Core §5.3); nothing where there is neither."""
        if isinstance(token, str):
            return await self._believed(provider, token, None)
        if provider.userinfo_endpoint is None:
            return {}
        return await self._get(provider.userinfo_endpoint, {"Authorization": f"Bearer {access}"})

    async def farewell(self, token: str) -> Farewell:
        """Whom the provider says good-bye to. Raises Problem: sign_on_refused, sign_on_unreachable."""
        provider = await self._described()
        settings, now = self._settings, int(self._clock.now().timestamp())
        try:
            return await self._checked(
                provider,
                lambda keys: rules.farewell(
                    token, keys, issuer=provider.issuer, client_id=settings.sign_on_client_id, now=now
                ),
            )
        except Untrusted as error:
            raise _refused(error) from error

    def _arrival(self, claims: dict[str, Any]) -> Arrival:
        settings = self._settings
        return rules.arrival(claims, roles_claim=settings.sign_on_roles_claim, roles=settings.sign_on_roles)

    async def _asked(self, provider: Provider, grant: str, what: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What the token endpoint answers to a grant (OpenID Connect Core §3.1.3, §12)."""
        settings = self._settings
        form = {"grant_type": grant, "client_id": settings.sign_on_client_id, **what}
        secret = settings.sign_on_client_secret.get_secret_value() if settings.sign_on_client_secret else ""
        headers = {}
        if secret and provider.takes_basic:
            headers["Authorization"] = rules.basic(settings.sign_on_client_id, secret)
        elif secret:
            form["client_secret"] = secret
        try:
            answer = await self._client.post(provider.token_endpoint, data=form, headers=headers)
        except httpx2.HTTPError as error:
            raise _unreachable(provider.token_endpoint, error) from error
        return answer.status_code, _object(answer)

    async def _believed(self, provider: Provider, token: str, nonce: str | None) -> dict[str, Any]:
        """The claims of an ID token."""
        settings, now = self._settings, int(self._clock.now().timestamp())
        return await self._checked(
            provider,
            lambda keys: rules.believed(
                token, keys, issuer=provider.issuer, client_id=settings.sign_on_client_id, nonce=nonce, now=now
            ),
        )

    async def _checked(self, provider: Provider, check: Callable[[KeySet], T]) -> T:
        """What `check` finds with the keys we know, and once more with fresh ones if those do not fit."""
        known = self._keys
        try:
            return check(await self._fetched_keys(provider) if known is None else known[1])
        except Untrusted:
            if known is None or time.monotonic() - known[0] < KEYS_AGE_SECONDS_MIN:
                raise
        return check(await self._fetched_keys(provider))

    async def _fetched_keys(self, provider: Provider) -> KeySet:
        document = await self._get(provider.jwks_uri)
        try:
            keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Untrusted(f"its keys cannot be read: {error}") from error
        self._keys = (time.monotonic(), keys)
        return keys

    async def _described(self) -> Provider:
        known = self._provider
        if known is not None and time.monotonic() - known[0] < DESCRIPTION_AGE_SECONDS_MAX:
            return known[1]
        issuer = self._settings.sign_on_issuer
        document = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        try:
            provider = rules.described(document, issuer)
        except Untrusted as error:
            raise _refused(error) from error
        self._provider = (time.monotonic(), provider)
        return provider

    async def _get(self, address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = await self._client.get(address, headers=headers)
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            raise _unreachable(address, error) from error
        return _object(answer)


def _object(answer: httpx2.Response) -> dict[str, Any]:
    """The body as a JSON object; an empty one for anything else, which then lacks what is looked for."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _refused(error: Untrusted) -> Problem:
    log.warning("sign_on_refused", reason=str(error))
    return Problem(
        403,
        "sign_on_refused",
        "The sign-on was not accepted",
        "What the identity provider answered did not pass its checks. Try again; if it stays, tell an administrator.",
    )


def _unreachable(address: str, error: Exception) -> Problem:
    log.warning("sign_on_unreachable", address=address, error=f"{type(error).__name__}: {error}")
    return Problem(
        503,
        "sign_on_unreachable",
        "The identity provider does not answer",
        "Try again in a moment, or sign in with a local account.",
        headers={"Retry-After": "5"},
    )
