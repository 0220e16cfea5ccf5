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
    methods = document.get("token_endpoint_auth_methods_supported", ("client_secret_basic",))
    return Provider(
        issuer=issuer,
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


def believed(token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: int) -> dict[str, Any]:
    """The claims of an ID token that passed every check. `now` in seconds of the epoch. Raises Untrusted."""
    required = jwt.JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        required.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Untrusted(f"the ID token: {type(error).__name__}: {error}") from error
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims.get("azp", client_id) != client_id or (len(audiences) > 1 and "azp" not in claims):
        raise Untrusted("the ID token was made for another client")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise Untrusted("the ID token names nobody")
    return dict(claims)


def arrival(claims: Mapping[str, Any], *, roles_claim: str, roles: Mapping[str, str]) -> Arrival:
    """Who came, with the roles that `roles` gives to the groups in the claim `roles_claim`; unknown groups give none."""
    subject = str(claims["sub"])
    named = next((text for key in ("preferred_username", "email") if (text := _line(claims.get(key)))), subject)
    groups = claims.get(roles_claim, ())
    held: Collection[object] = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else ()
    return Arrival(
        issuer=str(claims["iss"]),
        subject=subject,
        username=named.lower()[:USERNAME_LENGTH_MAX],
        name=(_line(claims.get("name")) or named)[:NAME_LENGTH_MAX],
        roles=tuple(sorted({roles[group] for group in held if isinstance(group, str) and group in roles})),
    )


def _line(value: object) -> str:
    """A text on one line, without what does not print; empty for anything else."""
    return "".join(letter for letter in value if letter.isprintable()).strip() if isinstance(value, str) else ""
