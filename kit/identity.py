"""Who is asking: people and machines at the gateway, and the short-lived token it hands to the owner services."""

import os
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastapi import Request
from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OKPKey

from kit import telemetry
from kit.clock import Clock, SystemClock
from kit.http import Problem

ISSUER = "countersign-gateway"
ALGORITHM = "Ed25519"  # RFC 9864 retires the polymorphic name EdDSA
# A token is minted for one request and one service; a minute covers a slow one.
LIFETIME_SECONDS = 60
LEEWAY_SECONDS = 10
KEY_MODE = 0o600
PUBLIC_MODE = 0o644
PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----\n?", re.DOTALL)

log = telemetry.get_logger()


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
        _put(public, key.as_pem(private=False), PUBLIC_MODE)
        _put(private, key.as_pem(private=True), KEY_MODE)
    return private, public


def replace_key(data_dir: Path) -> tuple[Path, Path]:
    """A new key signs from now on; what the one before it has signed stays good until `retire_key`.

    Running services follow by themselves, as they look at the files again: who checks is told first, then who signs.
    """
    private, public = ensure_keys(data_dir)
    before, new = KeyFile(private).pems()[0], OKPKey.generate_key("Ed25519")
    _put(public, new.as_pem(private=False) + _public_part(before), PUBLIC_MODE)
    _put(private, new.as_pem(private=True) + before, KEY_MODE)
    return private, public


def retire_key(data_dir: Path) -> tuple[Path, Path]:
    """Only the newest key counts from now on."""
    private, public = ensure_keys(data_dir)
    newest = KeyFile(private).pems()[0]
    _put(public, _public_part(newest), PUBLIC_MODE)
    _put(private, newest, KEY_MODE)
    return private, public


def _public_part(private_pem: bytes) -> bytes:
    return OKPKey.import_key(private_pem).as_pem(private=False)


def _put(path: Path, content: bytes, mode: int) -> None:
    """A reader sees the old file or the new one, never a part."""
    draft = path.with_name(f"{path.stem}.{uuid.uuid4().hex}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    draft.rename(path)


class KeyFile:
    """The Ed25519 keys of a PEM file: the one in use first, then the one before it while it is being replaced.

    The file is looked at on every use and read again when it is another one, so that a key is replaced without a restart.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError or ValueError: there is no key in it."""
        self._path = path
        self._stamp = self._look()
        self._pems, self._keys = self._read()

    def pems(self) -> tuple[bytes, ...]:
        """The keys as they stand in the file."""
        self._refresh()
        return self._pems

    def keys(self) -> tuple[OKPKey, ...]:
        """The keys, ready to use; never none."""
        self._refresh()
        return self._keys

    def _refresh(self) -> None:
        """What cannot be read changes nothing: the last good keys stand until the file is yet another one."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._pems, self._keys = self._read()
        except (OSError, ValueError, JoseError) as error:
            log.warning("key_file_unreadable", file=str(self._path), error=f"{type(error).__name__}: {error}")

    def _look(self) -> tuple[int, int]:
        # The time of the last change of anything about it, so that a file that was handed over is tried again.
        found = self._path.stat()
        return found.st_ino, found.st_ctime_ns

    def _read(self) -> tuple[tuple[bytes, ...], tuple[OKPKey, ...]]:
        pems = tuple(PEM.findall(self._path.read_bytes()))
        if not pems:
            raise ValueError(
                f"{self._path} holds no PEM key; restore it, or remove it and its twin to have new ones made"
            )
        return pems, tuple(OKPKey.import_key(pem) for pem in pems)


class Mint:
    """Makes internal tokens. Only the gateway holds the private key."""

    def __init__(self, private_key_file: Path, clock: Clock | None = None) -> None:
        self._file = KeyFile(private_key_file)
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
        return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt"}, claims, self._file.keys()[0], algorithms=[ALGORITHM])


class Verifier:
    """Checks internal tokens at an owner service: this issuer, this audience, not expired, one algorithm.

    While the gateway's key is replaced its file holds both, and a token of either is good.
    """

    def __init__(self, public_key_file: Path, audience: str, clock: Clock | None = None) -> None:
        self._file = KeyFile(public_key_file)
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
            decoded = self._decoded(token)
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

    def _decoded(self, token: str) -> jwt.Token:
        *newer, last = self._file.keys()
        for key in newer:
            try:
                return jwt.decode(token, key, algorithms=[ALGORITHM])
            except BadSignatureError:
                continue  # of the key before it, perhaps
        return jwt.decode(token, last, algorithms=[ALGORITHM])


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
