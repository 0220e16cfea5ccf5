"""Who may call what: the whole matrix equals the golden file, and matches the routes that exist."""

import re
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.gateway.api import ROOMS
from services.gateway.domain.access import ROLES, ROUTES, SCOPES, VIEWER, Seat, abilities, rule_for, seen_as
from services.gateway.domain.covered import COVERED

GOLDEN = Path(__file__).parent / "access_matrix.txt"


def matrix() -> str:
    """One line per route: who gets in."""
    lines = []
    for (method, path), rule in sorted(ROUTES.items(), key=lambda entry: (entry[0][1], entry[0][0])):
        people = [role if rule.admits([role], []) else "-" for role in ROLES]
        machines = [scope if rule.admits([], [scope]) else "-" for scope in SCOPES]
        nobody = "anyone" if rule.admits([], []) else "-"
        lines.append(" ".join([f"{method} {path}".ljust(62), *people, "|", *machines, "|", nobody]))
    return "\n".join(lines) + "\n"


def declared() -> set[tuple[str, str]]:
    routes = [route for room in ROOMS for route in room.router.routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in routes for method in route.methods or ()}


def test_role_by_route_matrix_equals_the_golden_file() -> None:
    assert matrix() == GOLDEN.read_text("utf-8")


def test_every_route_is_in_the_table_and_nothing_else_is() -> None:
    assert declared() == set(ROUTES)


def test_route_that_is_not_in_the_table_has_no_rule() -> None:
    assert rule_for("DELETE", "/v1/items/{sku}/{location}") is None
    assert rule_for("HEAD", "/v1/items") is not None


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_nobody_gets_in_without_role_or_scope_except_to_sign_in(route: tuple[str, str]) -> None:
    assert ROUTES[route].admits([], []) == (route == ("POST", "/v1/session"))


def test_administrators_and_auditors_never_decide_and_planners_never_administer() -> None:
    for route in (("POST", "/v1/decisions:bulk"), ("POST", "/v1/recommendations/{recommendation_id}/decisions")):
        assert not ROUTES[route].admits(["admin", "auditor"], ["ingest", "read", "plan", "audit"])
    assert not ROUTES["POST", "/v1/api-keys"].admits(["planner", "approver", "auditor"], SCOPES)


@pytest.mark.parametrize("seat", [None, *get_args(Seat)])
@pytest.mark.parametrize("size", range(1, len(ROLES) + 1))
def test_no_seat_opens_a_route_that_the_roles_held_do_not(seat: str | None, size: int) -> None:
    for held in combinations(ROLES, size):
        for rule in ROUTES.values():
            assert rule.admits(held, []) or not rule.admits(seen_as(held, seat), [])


def test_viewer_reads_and_does_nothing_that_takes_a_role() -> None:
    assert seen_as(["planner"], VIEWER) == seen_as(["planner"], "admin") == {VIEWER}
    assert abilities([VIEWER]) == []
    for (method, path), rule in ROUTES.items():
        if rule.admits([VIEWER], []) and not rule.public:
            assert all(rule.admits([role], []) for role in ROLES), f"{method} {path}"


def test_abilities_follow_the_roles() -> None:
    assert abilities(["planner"]) == ["decide", "plan", "mend"]
    assert abilities(["auditor"]) == ["audit"]
    assert abilities([]) == []


def test_routes_have_the_version_in_their_path() -> None:
    app = FastAPI()
    for room in ROOMS:
        app.include_router(room.router)
    assert all(path.startswith("/v1/") for path in app.openapi()["paths"])


def test_routes_open_to_limited_readers_exist_and_none_governs_or_shows_the_whole_tenant() -> None:
    assert set(ROUTES) >= COVERED
    whole = (
        "audit",
        "api-keys",
        "webhooks",
        "accounts",
        "dead-letters",
        "parked",
        "scenarios",
        "backtests",
        "proposals",
    )
    assert [path for _, path in COVERED if any(part in path for part in whole)] == []


@pytest.mark.parametrize("route", sorted(COVERED))
def test_route_about_one_thing_is_open_only_where_that_thing_is_looked_for(route: tuple[str, str]) -> None:
    named = set(re.findall(r"\{(\w+)\}", route[1]))
    assert named in (set(), {"sku", "location"}, {"recommendation_id"}, {"order_id"}, {"comment_id"})
