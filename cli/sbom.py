"""The bill of materials, `docs/sbom.cdx.json`: every package a production image may hold, as CycloneDX 1.6 (ECMA-424).

Made from `requirements.lock`, so that it lists what is installed and nothing else; `./run schemas` writes it.
"""

import json
import re
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

PATH = Path("docs/sbom.cdx.json")
LOCK = Path("requirements.lock")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)")
# Serial numbers live in this namespace: the same lock gives the same document.
_SERIALS = uuid.uuid5(uuid.NAMESPACE_URL, "countersign:sbom")


@dataclass(frozen=True, slots=True)
class Pin:
    """A package of the lock under its normalised name (PEP 503)."""

    name: str
    version: str

    @property
    def purl(self) -> str:
        """Its package URL, by which advisories are looked up."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins(lock: str) -> Iterator[Pin]:
    """The packages of a lock file, in its order."""
    for line in lock.splitlines():
        found = _PIN.match(line)
        if found is not None:
            yield Pin(re.sub(r"[-_.]+", "-", found["name"]).lower(), found["version"])


def document(root: Path) -> str:
    """The bill of materials of this checkout."""
    lock = (root / LOCK).read_text("utf-8")
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    product = f"pkg:pypi/{project['name']}@{project['version']}"
    bill: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(_SERIALS, sha256(lock.encode()).hexdigest()).urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": product,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "purl": product,
            },
            "properties": [{"name": "countersign:lock-sha256", "value": sha256(lock.encode()).hexdigest()}],
        },
        "components": [
            {"type": "library", "bom-ref": pin.purl, "name": pin.name, "version": pin.version, "purl": pin.purl}
            for pin in sorted(pins(lock), key=lambda pin: pin.name)
        ],
    }
    return json.dumps(bill, indent=1, ensure_ascii=False) + "\n"


def stale(root: Path) -> list[Path]:
    """The file, when it is missing or differs from what the lock says now."""
    path = root / PATH
    return [] if path.exists() and path.read_text("utf-8") == document(root) else [path]


def write(root: Path) -> None:
    """Write it."""
    (root / PATH).write_text(document(root), "utf-8")
