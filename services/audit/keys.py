"""Secrets that sign: read from a file, or made there on first use, readable by this user only."""

import os
import secrets
from dataclasses import dataclass, replace
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
    """One secret signs all logs of a deployment, each under the log's own name. While a key is replaced the one before,
    `retiring`, signs too, so that whoever knows only that one goes on believing what they read. `retired`: public keys of
    those that signed once; what they signed stays good, and they sign nothing any more."""

    deployment: str
    seed: bytes
    retiring: bytes | None = None
    retired: tuple[bytes, ...] = ()

    def signers(self, tenant: str) -> list[Signer]:
        """Whose signatures a new head carries, the newest key's first."""
        name = origin_of(self.deployment, tenant)
        return [signer(name, LOG_SIGNATURE, seed) for seed in (self.seed, self.retiring) if seed is not None]

    def verifiers(self, tenant: str) -> list[Verifier]:
        """Whose signatures count, the newest key's first."""
        return self._public(origin_of(self.deployment, tenant))

    def deployment_vkeys(self) -> list[str]:
        """The lines to pin, the newest key's first: public keys under the name all log names begin with."""
        return [one.vkey() for one in self._public(f"{self.deployment}/audit")]

    def _public(self, name: str) -> list[Verifier]:
        seeds = [seed for seed in (self.seed, self.retiring) if seed is not None]
        signing = [signer(name, LOG_SIGNATURE, seed).verifier() for seed in seeds]
        known = {one.public for one in signing}
        return signing + [Verifier(name, LOG_SIGNATURE, one) for one in self.retired if one not in known]


def load(deployment: str, path: Path) -> LogKeys:
    """The keys of a deployment: the secret in `path` (made on first use), the one before in `<path>.retiring` while it is
    there, and in `<path>.retired` the public keys of all before, one in hex a line. Raises KeyUnusable.

    A key comes among the retired only by its secret having been the retiring one: losing a secret replaces no key.
    """
    before, list_file = path.with_name(path.name + ".retiring"), path.with_name(path.name + ".retired")
    retiring = load_seed(before) if before.exists() else None
    keys = LogKeys(deployment, ensure_seed(path), retiring, _listed(list_file))
    if retiring is not None:
        if retiring == keys.seed:
            raise KeyUnusable(f"{before} holds the same secret as {path}; remove it, or the key is not replaced at all")
        public = signer("retiring", LOG_SIGNATURE, retiring).verifier().public
        if public not in keys.retired:
            keys = replace(keys, retired=(public, *keys.retired))
            _write(list_file, [one.hex() for one in keys.retired])
    return keys


def _listed(path: Path) -> tuple[bytes, ...]:
    try:
        keys = tuple(bytes.fromhex(line) for line in path.read_text("ascii").split()) if path.exists() else ()
    except (OSError, ValueError) as error:
        raise KeyUnusable(f"cannot read the retired public keys {path}: {error}; restore the file") from error
    if any(len(one) != SEED_BYTES for one in keys):
        raise KeyUnusable(f"a line of {path} is not {SEED_BYTES} bytes in hex; restore the file")
    return keys


def publish(path: Path, vkeys: list[str]) -> None:
    """Write the public keys beside the secret, for those who want to pin them."""
    if not path.exists() or path.read_text("utf-8").split() != vkeys:
        _write(path, vkeys)


def _write(path: Path, lines: list[str]) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    draft.replace(path)
