"""Where artefacts lie: in a directory, or in a bucket that speaks the S3 API. Both keep files named `<sha256>.<kind>`.

Equal content has an equal name, so writing twice is harmless and a write that was cut off is simply made again. What is
read is checked against its name, wherever it came from.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from services.forecaster.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

RETRIES_MAX = 6
RETRY_FOR = timedelta(seconds=20)  # a store that restarts is back by then; a job must not wait for one that is not


class ArtefactDamaged(RuntimeError):
    """A stored file does not have the content its name promises; restore it from a backup or train again."""


class ArtefactUnreachable(OSError):
    """The bucket did not answer, or refused us; args[0] says which, why, and what to do. Nothing is known of the file."""


class Shelf(Protocol):
    """Files by name; a reader sees a whole file or none."""

    def write(self, name: str, content: bytes) -> None: ...

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError, ArtefactDamaged, ArtefactUnreachable rather than return anything else."""
        ...


@dataclass(frozen=True, slots=True)
class Directory:
    """Files in a directory, written beside and renamed."""

    path: Path

    def write(self, name: str, content: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        draft = self.path / f"{name}.draft"
        draft.write_bytes(content)
        draft.rename(self.path / name)

    def read(self, name: str) -> bytes:
        path = self.path / name
        return whole(name, path.read_bytes(), str(path))


@dataclass(frozen=True, slots=True)
class Bucket:
    """Objects under a prefix of a bucket. What was written or read once is kept in `copies`, so that a model that spoke
    yesterday speaks through an outage of the store; a copy that is damaged is fetched again."""

    store: S3Store
    url: str
    copies: Directory

    def write(self, name: str, content: bytes) -> None:
        try:
            self.store.put(name, content)
        except BaseError as error:
            raise self._unreachable(name, error) from error
        self.copies.write(name, content)

    def read(self, name: str) -> bytes:
        try:
            return self.copies.read(name)
        except (FileNotFoundError, ArtefactDamaged):
            pass  # not here yet, or not whole any more: the bucket has it
        try:
            content = bytes(self.store.get(name).bytes())
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{self.url}/{name} does not exist ({_told(error)}); restore it or train again"
            ) from error
        except BaseError as error:
            raise self._unreachable(name, error) from error
        self.copies.write(name, whole(name, content, f"{self.url}/{name}"))
        return content

    def _unreachable(self, name: str, error: BaseError) -> ArtefactUnreachable:
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            way_out = "check COUNTERSIGN_ARTEFACTS_ACCESS_KEY, its secret, and what they may do in this bucket"
        else:
            way_out = "check COUNTERSIGN_ARTEFACTS_ENDPOINT and the bucket; it is tried again by itself"
        return ArtefactUnreachable(f"{self.url}/{name} could not be reached: {_told(error)}; {way_out}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the artefacts of an installation are. Plain values, so that it goes through a pipe to a child process.

    `url` is `s3://bucket/prefix`, or None for the directory alone. Without a key the usual sources of credentials of the
    S3 API count (environment, web identity, instance).
    """

    directory: Path
    url: str | None = None
    endpoint: str | None = None
    region: str = "us-east-1"
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)

    @staticmethod
    def of(settings: Settings) -> "Place":
        """As the settings say."""
        secret = settings.artefacts_secret_key
        return Place(
            settings.data_dir / "models", settings.artefacts_url, settings.artefacts_endpoint,
            settings.artefacts_region, settings.artefacts_access_key, secret.get_secret_value() if secret else None,
        )  # fmt: skip

    def open(self) -> Shelf:
        """Nothing is asked of the store yet."""
        copies = Directory(self.directory)
        if self.url is None:
            return copies
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        # The store itself compares what arrives with this checksum, so a damaged upload is refused there.
        config: S3Config = {"region": self.region, "checksum_algorithm": "SHA256"}
        if self.endpoint is not None:
            config["endpoint"] = self.endpoint
        if self.access_key is not None and self.secret_key is not None:
            config["access_key_id"], config["secret_access_key"] = self.access_key, self.secret_key
        store = S3Store(
            bucket,
            prefix=prefix or None,
            config=config,
            client_options={"allow_http": True, "timeout": "60s", "connect_timeout": "5s"},
            retry_config={"max_retries": RETRIES_MAX, "retry_timeout": RETRY_FOR},
        )
        return Bucket(store, self.url.rstrip("/"), copies)


def whole(name: str, content: bytes, where: str) -> bytes:
    """The content, if it has the SHA-256 of its name. Raises ArtefactDamaged."""
    if hashlib.sha256(content).hexdigest() != name.partition(".")[0]:
        raise ArtefactDamaged(f"{where} does not have the SHA-256 of its name; restore it or train again")
    return content


def _told(error: Exception) -> str:
    """What the store said, in a few words: its own code and message, else the client's first line."""
    text = str(error)
    code, message = (re.search(rf"<{tag}>([^<]*)</{tag}>", text) for tag in ("Code", "Message"))
    if code is not None:
        return code[1] + (f", {message[1].rstrip('.')}" if message is not None else "")
    return text.split("\n", 1)[0].strip()
