"""The bill of materials is made from the lock, is up to date, and names every package by an address that tools look up."""

import json
import re
from pathlib import Path

from cli import sbom

ROOT = Path(__file__).resolve().parents[2]
# packageurl's grammar for this registry: lower case, runs of -_. written as one hyphen (purl-spec, pypi definition).
PURL = re.compile(r"^pkg:pypi/[a-z0-9]+(-[a-z0-9]+)*@[0-9][0-9A-Za-z.!-]*$")


def test_what_is_committed_is_what_the_lock_says_now() -> None:
    assert sbom.stale(ROOT) == [], "run ./run schemas"


def test_every_locked_package_is_in_it_once_and_nothing_else() -> None:
    bill = json.loads((ROOT / sbom.PATH).read_text("utf-8"))
    lock = (ROOT / sbom.LOCK).read_text("utf-8")
    locked = {line.split("==")[0].lower().replace("_", "-") for line in lock.splitlines() if "==" in line}
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert [one["name"] for one in bill["components"]] == sorted(locked)
    assert all(PURL.match(one["purl"]) for one in bill["components"])
    assert len({one["bom-ref"] for one in bill["components"]}) == len(locked)


def test_a_changed_lock_makes_it_stale(tmp_path: Path) -> None:
    for name in (sbom.LOCK, Path("pyproject.toml")):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    (tmp_path / sbom.PATH).parent.mkdir()
    sbom.write(tmp_path)
    assert sbom.stale(tmp_path) == []
    with (tmp_path / sbom.LOCK).open("a", encoding="utf-8") as lock:
        lock.write("One_More.Package==1.0 \\\n    --hash=sha256:00\n")
    assert sbom.stale(tmp_path) == [tmp_path / sbom.PATH]
    assert "pkg:pypi/one-more-package@1.0" in sbom.document(tmp_path)
