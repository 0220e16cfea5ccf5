"""Secrets that must be read again, sealed for the database: whoever has a copy of it, and not the gateway's key, has nothing."""

import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
KEY_BYTES = 32


class Seal:
    """AES-256-GCM under a key drawn from the gateway's own private key by HKDF (RFC 5869), for one purpose.

    `keys` says the private keys of the moment: the first seals, and while it is replaced the one before it opens too.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]], purpose: str) -> None:
        self._keys = keys
        self._info = f"countersign/{purpose}".encode()

    def sealed(self, secret: str, bound_to: bytes) -> bytes:
        """`secret`, to be opened only together with `bound_to`, so that nobody can move it to another row."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(self._keys()[0]).encrypt(nonce, secret.encode(), bound_to)

    def opened(self, sealed: bytes, bound_to: bytes) -> str | None:
        """What was sealed; None when it was not sealed by us, for this."""
        for key in self._keys():
            try:
                return self._cipher(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to).decode()
            except (InvalidTag, ValueError):
                continue
        return None

    def _cipher(self, private_key: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=self._info).derive(private_key))
