"""The documents lead somewhere: every link to a file or a heading of this tree holds, and the index names every page."""

import re
from pathlib import Path

import pytest

from tests.house import rules

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    return [path for path in rules.tracked(ROOT) if path.suffix == ".md"]


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them in an address."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    found = []
    for path, heading in LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            found.append(f"{page.relative_to(ROOT)}: there is no {path}")
        elif heading and target.suffix == ".md" and heading not in anchors(target):
            found.append(f"{page.relative_to(ROOT)}: {path or page.name} has no heading #{heading}")
    return found


def test_every_link_to_this_tree_leads_somewhere(pages: list[Path]) -> None:
    assert [one for page in pages for one in broken(page, page.read_text("utf-8"))] == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    page = ROOT / "docs" / "README.md"
    assert broken(page, "[one](policy.md#why-not) [two](../README.md) [three](https://example.org/none)") == []
    assert broken(page, "[one](policy.md#why-so) [two](nowhere.md)") == [
        "docs/README.md: policy.md has no heading #why-so",
        "docs/README.md: there is no nowhere.md",
    ]


def test_the_index_names_every_page_and_every_decision_by_its_title(pages: list[Path]) -> None:
    index = ROOT / "docs" / "README.md"
    named = {path for path, _ in LINK.findall(index.read_text("utf-8"))}
    there = {str(page.relative_to(index.parent)) for page in pages if page.is_relative_to(index.parent)}
    assert there - {index.name} <= named
    titles = dict(re.findall(r"^\| (\d{4}) \| \[(.*)\]\(", index.read_text("utf-8"), re.MULTILINE))
    decisions = sorted((index.parent / "decisions").glob("*.md"))
    heads = [page.read_text("utf-8").splitlines()[0].removeprefix("# ").split(" ", 1) for page in decisions]
    assert titles == dict(heads)
    assert [page.name[:4] for page in decisions] == sorted(titles)
