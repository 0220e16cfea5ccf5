"""Signing in at the organisation's own identity provider: what is asked of it, and what of its answer is believed.

The authorization code flow of OpenID Connect Core 1.0 §3.1 with PKCE (RFC 7636) and the checks of RFC 9700; an ID token
is believed only after every check of Core §3.1.3.7, with asymmetric algorithms alone (RFC 8725 §3.1).
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

# No symmetric one: who verifies must not be able to sign. No "none".
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
LEEWAY_SECONDS: Final = 60
USERNAME_LENGTH_MAX: Final = 64
NAME_LENGTH_MAX: Final = 120
# OpenID Connect Back-Channel Logout 1.0 §2.4: what says that a token is one, and how old one may be.
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_AGE_SECONDS_MAX: Final = 600
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Untrusted(Exception):
    """What the provider said cannot be believed; the text says which check failed, for the log."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What we need of a provider's own description (OpenID Connect Discovery 1.0 §3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    takes_basic: bool  # whether the client's secret goes into the Authorization header (else into the body)
    names_itself: bool  # whether its answers carry `iss` (RFC 9207): one without it is another provider's


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to the provider and back, kept by the browser meanwhile: its secrets prove that both ends are the same."""

    state: str
    nonce: str
    verifier: str
    target: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A person as the provider vouches for them. `issuer` and `subject` are who it is; the names are for people to read."""

    issuer: str
    subject: str
    username: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Farewell:
    """Whom the provider no longer vouches for: everybody's session `sid`, or without one all sessions of `subject`."""

    issuer: str
    subject: str | None
    sid: str | None


def described(document: Mapping[str, Any], issuer: str) -> Provider:
    """The provider behind `issuer`. Raises Untrusted when the description is another's, incomplete, or not encrypted."""
    if document.get("issuer") != issuer:
        raise Untrusted(f"the description names the issuer {document.get('issuer')!r}, configured is {issuer!r}")
    found = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        address = document.get(name)
        if not isinstance(address, str) or not is_protected(address):
            raise Untrusted(f"{name} is {address!r}, not an https address")
        found[name] = address
    userinfo = document.get("userinfo_endpoint")
    methods = document.get("token_endpoint_auth_methods_supported", ("client_secret_basic",))
    return Provider(
        issuer=issuer,
        userinfo_endpoint=userinfo if isinstance(userinfo, str) and is_protected(userinfo) else None,
        takes_basic="client_secret_basic" in methods,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        **found,
    )


def is_protected(address: str) -> bool:
    """Whether nobody on the way can read or change what goes there: https, or this very machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def authorization_url(provider: Provider, attempt: Attempt, *, client_id: str, redirect_uri: str, scopes: str) -> str:
    """Where the browser is sent (Core §3.1.2.1, RFC 7636 §4.3)."""
    digest = hashlib.sha256(attempt.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scopes,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    separator = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return provider.authorization_endpoint + separator + urlencode(asked)


def basic(client_id: str, secret: str) -> str:
    """The client's own Authorization header; both parts are form-encoded first (RFC 6749 §2.3.1)."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


def written(attempt: Attempt) -> str:
    """As a cookie keeps it."""
    return base64.urlsafe_b64encode(json.dumps(asdict(attempt)).encode()).decode()


def read(text: str) -> Attempt | None:
    """What `written` wrote, or None for anything else."""
    try:
        fields = json.loads(base64.urlsafe_b64decode(text.encode()))
        attempt = Attempt(**fields)
    except (ValueError, TypeError):
        return None
    return attempt if all(isinstance(value, str) and value for value in asdict(attempt).values()) else None


def believed(token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str | None, now: int) -> dict[str, Any]:
    """The claims of an ID token that passed every check. `now` in seconds of the epoch; a token that came by a refresh need
    not have a nonce (Core §12.2). Raises Untrusted."""
    required = _required(issuer, client_id, now, sub={"essential": True}, exp={"essential": True})
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        required.validate(claims)
        if nonce is not None and claims.get("nonce") != nonce:
            raise ValueError("its nonce is another one, so it was not asked for here")
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Untrusted(f"the ID token: {type(error).__name__}: {error}") from error
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims.get("azp", client_id) != client_id or (len(audiences) > 1 and "azp" not in claims):
        raise Untrusted("the ID token was made for another client")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise Untrusted("the ID token names nobody")
    return dict(claims)


def farewell(token: str, keys: KeySet, *, issuer: str, client_id: str, now: int) -> Farewell:
    """Whose sessions a logout token ends, after every check of Back-Channel Logout 1.0 §2.6. Raises Untrusted."""
    required = _required(issuer, client_id, now, jti={"essential": True})
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
        claims = decoded.claims
        required.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Untrusted(f"the logout token: {type(error).__name__}: {error}") from error
    if str(decoded.header.get("typ", "logout+jwt")).lower() not in ("logout+jwt", "jwt"):
        raise Untrusted("the logout token is a token of another type")
    if now - claims["iat"] > LOGOUT_AGE_SECONDS_MAX:
        raise Untrusted("the logout token is too old")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict) or "nonce" in claims:
        raise Untrusted("it is no logout token")
    subject, sid = (claims.get(name) for name in ("sub", "sid"))
    if not (subject or sid) or not all(one is None or isinstance(one, str) for one in (subject, sid)):
        raise Untrusted("the logout token names nobody")
    return Farewell(issuer, subject or None, sid or None)


def _required(issuer: str, client_id: str, now: int, **more: jwt.ClaimsOption) -> jwt.JWTClaimsRegistry:
    """What every token of the provider for us must say: who made it, for whom, when; and `more`."""
    return jwt.JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        **more,
    )


def arrival(claims: Mapping[str, Any], *, roles_claim: str, roles: Mapping[str, str]) -> Arrival:
    """Who came, with the roles that `roles` gives to the groups in the claim `roles_claim`; unknown groups give none."""
    subject = str(claims["sub"])
    named = next((text for key in ("preferred_username", "email") if (text := _line(claims.get(key)))), subject)
    groups = claims.get(roles_claim, ())
    held: Collection[object] = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else ()
    return Arrival(
        issuer=str(claims["iss"]),
        subject=subject,
        # Decisions carry the name, and record keys are made of such parts with "/" between them.
        username=named.lower().replace("/", "_")[:USERNAME_LENGTH_MAX],
        name=(_line(claims.get("name")) or named)[:NAME_LENGTH_MAX],
        roles=tuple(sorted({roles[group] for group in held if isinstance(group, str) and group in roles})),
    )


def _line(value: object) -> str:
    """A text on one line, without what does not print; empty for anything else."""
    return "".join(letter for letter in value if letter.isprintable()).strip() if isinstance(value, str) else ""
