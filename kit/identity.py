"""Who is asking: people and machines at the gateway, and the short-lived token it hands to the owner services."""

import os
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from kit.clock import Clock, SystemClock
from kit.http import Problem

ISSUER = "countersign-gateway"
ALGORITHM = "Ed25519"  # RFC 9864 retires the polymorphic name EdDSA
# A token is minted for one request and one service; a minute covers a slow one.
LIFETIME_SECONDS = 60
LEEWAY_SECONDS = 10
KEY_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a machine, always of exactly one tenant."""

    tenant: str
    subject: str
    roles: frozenset[str]
    kind: Literal["user", "machine"] = "user"

    def has(self, *roles: str) -> bool:
        return not self.roles.isdisjoint(roles)


def ensure_keys(data_dir: Path) -> tuple[Path, Path]:
    """The gateway's Ed25519 key pair under `data_dir/keys`, made on first use; returns (private, public)."""
    keys = data_dir / "keys"
    private, public = keys / "internal.pem", keys / "internal.pub"
    if not private.exists():
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = OKPKey.generate_key("Ed25519")
        public.write_bytes(key.as_pem(private=False))
        draft = keys / f"internal.{uuid.uuid4().hex}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE), "wb") as file:
            file.write(key.as_pem(private=True))
        draft.rename(private)
    return private, public


class Mint:
    """Makes internal tokens. Only the gateway holds the private key."""

    def __init__(self, private_key_file: Path, clock: Clock | None = None) -> None:
        self._key = OKPKey.import_key(private_key_file.read_bytes())
        self._clock = clock or SystemClock()

    def token(self, principal: Principal, audience: str) -> str:
        """A token for one call to `audience` (a service name) on behalf of `principal`."""
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": principal.subject,
            "tenant": principal.tenant,
            "roles": sorted(principal.roles),
            "kind": principal.kind,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt"}, claims, self._key, algorithms=[ALGORITHM])


class Verifier:
    """Checks internal tokens at an owner service: this issuer, this audience, not expired, one algorithm."""

    def __init__(self, public_key_file: Path, audience: str, clock: Clock | None = None) -> None:
        self._key = OKPKey.import_key(public_key_file.read_bytes())
        told = clock or SystemClock()
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(told.now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            tenant={"essential": True},
        )

    def principal(self, token: str) -> Principal:
        """Raises Problem 401 unless the token is good."""
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            if decoded.header.get("typ") != "at+jwt":
                raise ValueError("typ is not at+jwt")
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise Problem(
                401, "invalid_token", "The internal token is not valid", f"{type(error).__name__}: {error}"
            ) from error
        claims = decoded.claims
        return Principal(
            claims["tenant"], claims["sub"], frozenset(claims.get("roles", ())), claims.get("kind", "user")
        )


def require(*roles: str) -> Callable[[Request], Awaitable[Principal]]:
    """A FastAPI dependency: the caller's principal, who must have one of `roles` (none named: any signed-in caller)."""

    # Async, because a plain function would be called in another thread, which costs more than checking a signature.
    async def dependency(request: Request) -> Principal:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(401, "token_missing", "No internal token", "Call this service through the gateway.")
        verifier: Verifier = request.app.state.verifier
        principal = verifier.principal(token)
        if roles and not principal.has(*roles):
            raise Problem(
                403, "role_missing", "Your role does not allow this", f"Needs one of: {', '.join(sorted(roles))}."
            )
        return principal

    return dependency
