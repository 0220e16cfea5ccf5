"""Secrets that sign: read from a file, or made there on first use, readable by this user only."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from services.audit.domain.checkpoints import origin_of
from services.audit.domain.notes import LOG_SIGNATURE, Signer, Verifier, signer

SEED_BYTES = 32
KEY_MODE = 0o400


class KeyUnusable(RuntimeError):
    """The key file is not what it must be; the message says which file and what to do."""


def load_seed(path: Path) -> bytes:
    """The 32 secret bytes in `path`. Raises KeyUnusable."""
    try:
        text = path.read_text("ascii").strip()
        seed = bytes.fromhex(text)
    except (OSError, ValueError) as error:
        raise KeyUnusable(
            f"cannot read the signing key {path}: {error}; restore it from where you keep it, never make a new one"
        ) from error
    if len(seed) != SEED_BYTES:
        raise KeyUnusable(
            f"{path} holds {len(seed)} bytes, a signing key has {SEED_BYTES}; restore it from where you keep it"
        )
    return seed


def ensure_seed(path: Path) -> bytes:
    """The secret in `path`; made there first if the file does not exist. Two processes at once agree on one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_bytes(SEED_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails when the other process was first; its key counts then
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return load_seed(path)


@dataclass(frozen=True, slots=True)
class LogKeys:
    """One secret signs all logs of a deployment, each under the log's own name."""

    deployment: str
    seed: bytes

    def signer(self, tenant: str) -> Signer:
        return signer(origin_of(self.deployment, tenant), LOG_SIGNATURE, self.seed)

    def verifier(self, tenant: str) -> Verifier:
        return self.signer(tenant).verifier()

    def deployment_vkey(self) -> str:
        """The one line to pin: the public key, under the name all log names begin with."""
        return signer(f"{self.deployment}/audit", LOG_SIGNATURE, self.seed).verifier().vkey()


def publish(path: Path, vkey: str) -> None:
    """Write the public key beside the secret, for those who want to pin it."""
    if not path.exists() or path.read_text("utf-8").strip() != vkey:
        draft = path.with_name(path.name + ".new")
        draft.write_text(vkey + "\n", "utf-8")
        draft.replace(path)
