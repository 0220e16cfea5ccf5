"""Secrets that must be read again, sealed for the database: whoever has a copy of it, and not the gateway's key, has nothing."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
KEY_BYTES = 32


class Seal:
    """AES-256-GCM under a key drawn from the gateway's own private key by HKDF (RFC 5869), for one purpose."""

    def __init__(self, private_key: bytes, purpose: str) -> None:
        drawn = HKDF(SHA256(), KEY_BYTES, salt=None, info=f"countersign/{purpose}".encode()).derive(private_key)
        self._cipher = AESGCM(drawn)

    def sealed(self, secret: str, bound_to: bytes) -> bytes:
        """`secret`, to be opened only together with `bound_to`, so that nobody can move it to another row."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), bound_to)

    def opened(self, sealed: bytes, bound_to: bytes) -> str | None:
        """What was sealed; None when it was not sealed by us, for this."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to).decode()
        except (InvalidTag, ValueError):
            return None
