"""The identity provider over HTTP: its description and keys, and the exchange of a code for a person."""

import secrets
import time
from typing import Any

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kit import telemetry
from kit.clock import Clock
from kit.http import Problem
from services.gateway.domain import sign_on as rules
from services.gateway.domain.sign_on import Arrival, Attempt, Provider, Untrusted
from services.gateway.settings import GatewaySettings

log = telemetry.get_logger()
BACK = "/sign-on/back"
TIMEOUT_SECONDS = 10.0
# Providers change their keys; a token under one we do not know makes us look again, but no oftener than this.
KEYS_AGE_SECONDS_MIN = 30.0
DESCRIPTION_AGE_SECONDS_MAX = 3600.0


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

    async def finish(self, attempt: Attempt, *, code: str, said_issuer: str | None) -> Arrival:
        """Who came back with `code`. Raises Problem: sign_on_unreachable, sign_on_refused."""
        provider = await self._described()
        settings = self._settings
        try:
            if (provider.names_itself or said_issuer is not None) and said_issuer != provider.issuer:
                raise Untrusted(f"the answer names the issuer {said_issuer!r}")
            token = await self._exchanged(provider, attempt, code)
            claims = await self._believed(provider, token, attempt)
        except Untrusted as error:
            raise _refused(error) from error
        return rules.arrival(claims, roles_claim=settings.sign_on_roles_claim, roles=settings.sign_on_roles)

    async def _exchanged(self, provider: Provider, attempt: Attempt, code: str) -> str:
        """The ID token for a code (OpenID Connect Core §3.1.3)."""
        settings = self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": attempt.verifier,
            "client_id": settings.sign_on_client_id,
        }
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
        document = _object(answer)
        token = document.get("id_token")
        if answer.status_code != 200 or not isinstance(token, str):
            raise Untrusted(f"the code was not exchanged: HTTP {answer.status_code} {document.get('error', '')}")
        return token

    async def _believed(self, provider: Provider, token: str, attempt: Attempt) -> dict[str, Any]:
        """Its claims, checked with the keys we know, and once more with fresh ones if those do not fit."""
        settings = self._settings

        def check(keys: KeySet) -> dict[str, Any]:
            return rules.believed(
                token,
                keys,
                issuer=provider.issuer,
                client_id=settings.sign_on_client_id,
                nonce=attempt.nonce,
                now=int(self._clock.now().timestamp()),
            )

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

    async def _get(self, address: str) -> dict[str, Any]:
        try:
            answer = await self._client.get(address)
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
