"""docker-compose.yml as it is, started under a name and ports of its own: whatever else runs on this machine goes on."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.platform.ports import any_free
from tests import containers

SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
START_SECONDS_MAX = 280


def missing() -> str | None:
    """Why the stack cannot be started here, in one sentence; None when it can. Images are built by a person, not by a test."""
    reason = containers.missing()
    if reason is not None:
        return reason
    if shutil.which("docker") is None or run(["docker", "compose", "version"]).returncode != 0:
        return "docker compose v2 is not installed, so docker-compose.yml was read and not run"
    for service in SERVICES:
        if run(["docker", "image", "inspect", image_of(service)]).returncode != 0:
            return f"the image {image_of(service)} is not on this machine; `docker compose build` makes it"
    return None


def image_of(service: str) -> str:
    """The image that docker-compose.yml runs for a service when no version is chosen."""
    text = yaml.safe_load(containers.COMPOSE.read_text("utf-8"))["services"][service]["image"]
    return str(text).replace("${COUNTERSIGN_VERSION:-", "").replace("}", "")


def run(command: list[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A command to its end; its words are kept, its failure is the caller's to judge."""
    return subprocess.run(command, cwd=containers.COMPOSE.parent, capture_output=True, text=True, timeout=seconds, check=False)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack, in the words of `docker compose`."""

    project: str
    override: Path
    port: int

    @property
    def url(self) -> str:
        """The gateway on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """`docker compose WORDS` on this stack."""
        files = ["-f", str(containers.COMPOSE), "-f", str(self.override)]
        return run(["docker", "compose", "-p", self.project, *files, *words], seconds)

    def demand(self, *words: str, seconds: float = 60) -> str:
        """The same; what it printed. Raises AssertionError with what it said when it failed."""
        done = self.compose(*words, seconds=seconds)
        assert done.returncode == 0, f"docker compose {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def within(self, service: str, script: str) -> subprocess.CompletedProcess[str]:
        """A shell script inside a running service's container, as its user."""
        return self.compose("exec", "-T", service, "sh", "-c", script)

    def inspected(self, service: str) -> dict[str, Any]:
        """What the engine says about a service's container."""
        (identity,) = self.demand("ps", "-a", "-q", service).split()
        (found,) = json.loads(run(["docker", "inspect", identity]).stdout)
        return dict(found)


@contextmanager
def started(folder: Path) -> Iterator[Stack]:
    """The stack, every part of it healthy; removed with its volumes afterwards. Skips where it cannot be started."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    port = any_free()
    override = folder / "ports.yml"
    # Only the gateway is asked from outside; the fixed ports of the file belong to whoever runs Countersign here.
    override.write_text(
        "services:\n"
        f'  gateway: {{ports: !override ["127.0.0.1:{port}:8080"]}}\n'
        "  kafka: {ports: !override []}\n"
        "  postgres: {ports: !override []}\n",
        "utf-8",
    )
    stack = Stack(f"countersign-test-{uuid.uuid4().hex[:8]}", override, port)
    try:
        up = stack.compose("up", "--detach", "--no-build", "--pull", "never", "--wait", seconds=START_SECONDS_MAX)
        if up.returncode != 0:
            pytest.fail(f"{up.stderr[-1500:]}\n{stack.compose('logs', '--tail', '5').stdout[-6000:]}")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "60", seconds=180)
