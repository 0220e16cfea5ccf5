"""Bearer secrets: how a session token or API key is written, read and stored. Only hashes are ever kept.

Both carry their tenant, so that the row-level security of the database can be set before the secret is looked up; the
stored hash covers the whole text, so a secret moved to another tenant's name matches nothing.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

# 256 random bits: cannot be guessed, so a plain SHA-256 is enough and no slow hash is needed (unlike passwords).
SECRET_BYTES = 32
KEY_MARK = "cs"
SESSION_MARK = "ss"


@dataclass(frozen=True, slots=True)
class Secret:
    """A bearer secret as its holder has it."""

    mark: str
    tenant: str
    prefix: str
    text: str

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()


def _code(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def write_secret(mark: str, tenant: str, random_bytes: bytes) -> Secret:
    """A new secret from `random_bytes` (at least `SECRET_BYTES + 6` of them). Its first six bytes are its public prefix."""
    if len(random_bytes) < SECRET_BYTES + 6:
        raise ValueError(f"a secret needs {SECRET_BYTES + 6} random bytes, got {len(random_bytes)}")
    prefix = random_bytes[:6].hex()
    text = f"{mark}.{_code(tenant.encode())}.{prefix}.{_code(random_bytes[6:])}"
    return Secret(mark, tenant, prefix, text)


def read_secret(text: str) -> Secret | None:
    """The parts of a secret, or None when it is not one of ours; says nothing about whether it is valid."""
    if len(text) > 512:
        return None
    parts = text.split(".")
    if len(parts) != 4 or parts[0] not in {KEY_MARK, SESSION_MARK} or not all(parts):
        return None
    try:
        tenant = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)).decode()
    except ValueError:
        return None
    if not tenant or _code(tenant.encode()) != parts[1]:
        return None
    return Secret(parts[0], tenant, parts[2], text)
