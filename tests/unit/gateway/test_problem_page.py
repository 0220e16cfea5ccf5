"""Every `type` of a problem document leads to words: the registry holds every code the code base can send."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from kit.http import Problem
from schemas import problems
from services.gateway import pages

ROOT = Path(__file__).resolve().parents[3]
REGISTRY = problems.load()
# Raised with a code as a literal: class or function, and the place of the status (None: it follows from the code).
RAISERS: dict[str, tuple[int | None, int]] = {"Problem": (0, 1), "_down": (0, 1), "Refusal": (None, 0)}
# Codes that are put together at run time, with where they come from.
COMPUTED = {
    "kit/http.py": {"not_found", "method_not_allowed"},  # the phrases of the statuses the router itself answers
    "services/audit/api.py": {
        "no_such_entry", "nothing_to_erase", "index_outside_tree", "sizes_out_of_order", "hashes_missing", "tile_path_malformed",
    },  # what erasing, proofs and tiles refuse
    "services/approvals/api/problems.py": set[str](),  # the refusals of the domain, found as literals there
    "services/approvals/api/matrix.py": set[str](),
    "services/gateway/owners.py": {"refused"},  # an owner's own code, found as a literal there
    "services/gateway/api/shared.py": set[str](),  # from not_found("order", …), found below
    "services/gateway/api/deciding.py": {
        "line_not_found", "order_not_found", "proposal_not_found", "unknown_pin", "unknown_override", "unknown_backtest", "unknown_model",
    },  # what an id cannot name, as its owner would say it
    "services/gateway/web.py": {"body_too_large"},  # written as bytes, before there is a request
}  # fmt: skip


def calls() -> Iterator[tuple[str, str, list[ast.expr]]]:
    """File, function and arguments of every call in the code of the services."""
    for path in [*ROOT.glob("kit/*.py"), *ROOT.glob("services/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                yield str(path.relative_to(ROOT)), name, node.args


def text(node: ast.expr) -> str | None:
    """What a literal string says."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def used() -> tuple[dict[str, set[int]], set[str]]:
    """Code to the statuses it is sent with, and the files that compute a code."""
    found, computed = defaultdict[str, set[int]](set), set[str]()
    for file, name, arguments in calls():
        if name == "not_found" and arguments and (what := text(arguments[0])):
            found[f"{what.replace(' ', '_')}_not_found"].add(404)
        if name not in RAISERS or not arguments:
            continue
        status_at, code_at = RAISERS[name]
        code = text(arguments[code_at])
        if code is None:
            computed.add(file)
            continue
        status = None if status_at is None else arguments[status_at]
        sent = status.value if isinstance(status, ast.Constant) else None
        found[code] |= {sent} if isinstance(sent, int) else set()
    for codes in COMPUTED.values():
        for one in codes:
            found.setdefault(one, set())
    return found, computed


def test_every_code_that_can_be_sent_is_explained_with_its_status() -> None:
    found, computed = used()
    assert len(found) > 60, "the search finds what is raised"
    missing = sorted(found.keys() - REGISTRY.keys())
    assert missing == [], f"say in schemas/problems.yaml what they mean and what to do: {missing}"
    for code, statuses in found.items():
        assert statuses <= set(REGISTRY[code].statuses), f"{code} is sent with {statuses}"
    assert computed <= COMPUTED.keys(), "say in COMPUTED which codes these files can send"


def test_nothing_is_explained_that_is_never_sent() -> None:
    assert sorted(REGISTRY.keys() - used()[0].keys()) == []


@pytest.mark.parametrize("code", REGISTRY)
def test_an_explanation_is_whole(code: str) -> None:
    kind = REGISTRY[code]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
    assert kind.statuses and all(400 <= status <= 599 for status in kind.statuses)
    assert kind.title and not kind.title.endswith(".")
    for words in (kind.happened, kind.do):
        assert words.endswith(".") and words.count("`") % 2 == 0


def test_the_link_of_a_problem_leads_to_its_explanation_without_signing_in() -> None:
    app = FastAPI()
    app.include_router(pages.router)
    with TestClient(app) as client:
        path, anchor = Problem(412, "stale", "").document("")["type"].split("#")
        answer = client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.count(f'id="{anchor}"') == 1
    assert set(re.findall(r'<div id="([a-z0-9_]+)">', answer.text)) == set(REGISTRY)
    assert "<code>Authorization: Bearer &lt;API key&gt;</code>" in answer.text, "backticks become code, and only that"
