"""The part of requirements.lock that one service needs: its image installs that and nothing else."""

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
HEADER = "# Made from requirements.lock by `python -m deploy.generate`; what services/{service} needs, with the same hashes.\n"


def direct(service: str, project: dict[str, Any]) -> list[Requirement]:
    """What pyproject.toml asks for: the base and the service's own extra."""
    extras = project["project"]["optional-dependencies"]
    return [Requirement(text) for text in [*project["project"]["dependencies"], *extras[service]]]


def closure(wanted: list[Requirement]) -> set[str]:
    """Names of these packages and of all they require, by the metadata of the installed environment."""
    found: dict[str, set[str]] = {}
    here = {name: str(value) for name, value in default_environment().items()}
    queue = list(wanted)
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        extras = set(requirement.extras) | {""}
        fresh = extras - found.setdefault(name, set())
        found[name] |= fresh
        for text in metadata.requires(name) or [] if fresh else []:
            needed = Requirement(text)
            markers = [{**here, "extra": extra} for extra in fresh]
            if needed.marker is None or any(needed.marker.evaluate(environment) for environment in markers):
                queue.append(needed)
    return set(found)


def entries(lock: str) -> dict[str, str]:
    """The lock file by package: each entry is its pin and its hashes."""
    parts = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return {canonicalize_name(part.split("==")[0].split("[")[0].strip()): part for part in parts if "==" in part}


def lock_of(service: str) -> str:
    """The lock of one service. Raises KeyError for a package that requirements.lock does not pin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    pinned = entries((ROOT / "requirements.lock").read_text("utf-8"))
    names = sorted(closure(direct(service, project)))
    return HEADER.format(service=service) + "".join(pinned[name] for name in names)
