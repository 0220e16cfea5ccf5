"""What the pages are made of, without a browser: vendored files as recorded, no inline code, nothing from elsewhere."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from services.gateway import pages

HERE = Path(pages.__file__).parent
STATIC, TEMPLATES = HERE / "static", HERE / "templates"
# The promise is 900 kB compressed for a page; what is here leaves room to grow.
WEIGHT_BYTES_MAX = 300_000
JAVASCRIPT_LINES_MAX = 400


def test_vendored_files_are_the_recorded_ones() -> None:
    """Every vendored file is listed with version and licence, and has the recorded bytes."""
    recorded = json.loads((STATIC / "vendor" / "VERSIONS.json").read_text())
    listed = {name: digest for entry in recorded.values() for name, digest in entry["files"].items()}
    found = {
        str(path.relative_to(STATIC / "vendor")): f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in (STATIC / "vendor").rglob("*")
        if path.is_file() and path.name != "VERSIONS.json"
    }
    assert found == listed
    assert all(entry["version"] and entry["licence"] for entry in recorded.values())


def test_no_template_holds_inline_code_or_leaves_this_site() -> None:
    """The content security policy would refuse it in the browser; this says it earlier, and where."""
    for template in TEMPLATES.glob("*.html"):
        text = template.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style", text), template.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), template.name
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text), template.name


def test_no_script_builds_markup_from_text() -> None:
    """Names and notes are data: no module may hand text to a parser."""
    for module in (STATIC / "js").rglob("*.js"):
        text = module.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            module
        )
        assert len(text.splitlines()) <= JAVASCRIPT_LINES_MAX, module


def test_the_heaviest_page_is_light() -> None:
    """Queue: its modules, all style sheets and the one font most people need, compressed."""
    modules = [HERE / path.removeprefix("/") for path in pages.modules_of("queue")]
    text = b"".join(gzip.compress(path.read_bytes()) for path in [*modules, *(STATIC / "css").glob("*.css")])
    font = (STATIC / "vendor" / "inter" / "inter-latin-wght-normal.woff2").stat().st_size
    assert len(text) + font < WEIGHT_BYTES_MAX


def test_every_page_names_all_its_modules() -> None:
    """What a script imports, and what those import, is in the head; a page without a script would be a dead shell."""
    for page in pages.PAGES:
        modules = pages.modules_of(page.name)
        assert modules[0] == f"/static/js/pages/{page.name}.js"
        assert "/static/js/shell.js" in modules
        assert "/static/js/dom.js" in modules


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/queue?q=a&line=b", "/queue?q=a&line=b"),
        ("//evil.example", "/today"),
        ("/\\evil.example", "/today"),
        ("https://evil.example/", "/today"),
        ("javascript:alert(1)", "/today"),
        ("/a\r\nSet-Cookie: x=1", "/today"),
        ("", "/today"),
    ],
)
def test_signing_in_never_leads_to_another_site(wanted: str, given: str) -> None:
    assert pages.safe_next(wanted) == given


@pytest.mark.parametrize(
    ("name", "badge"), [("maria.weber", "MW"), ("planner", "PL"), ("Ana Lopez Diaz", "AL"), ("-", "?"), ("é", "É")]
)
def test_the_badge_has_two_letters(name: str, badge: str) -> None:
    assert pages.initials(name) == badge
