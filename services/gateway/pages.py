"""The planner's pages: a signed-in person asks for a path, a shell in HTML goes out; its numbers come from `/v1`.

Every page has one shell and one script module of the same name, so what a person may see is decided in one place: the API.
"""

import posixpath
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kit.http import Problem
from schemas import problems
from services.gateway import event_contracts
from services.gateway.access import Principal, page_principal
from services.gateway.context import Context

router = APIRouter(include_in_schema=False)
Viewer = Annotated[Principal | None, Depends(page_principal)]

THEMES = ("light", "dark")
HERE = Path(__file__).parent
MODULE_IMPORT = re.compile(r'^import .*?"(\.[^"]+)";', re.MULTILINE)
_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def modules_of(script: str) -> tuple[str, ...]:
    """Every module that a page's script needs, itself first, as paths of this site.

    Named in the page's head, they are all fetched at once; otherwise the browser learns of each only after reading the
    one before, which costs a round trip for every step of the chain.
    """
    found: list[str] = []
    waiting = [f"/static/js/pages/{script}.js"]
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found.append(path)
        text = (HERE / path.removeprefix("/")).read_text(encoding="utf-8")
        waiting += [
            posixpath.normpath(posixpath.join(posixpath.dirname(path), near)) for near in MODULE_IMPORT.findall(text)
        ]
    return tuple(found)


_templates.globals["modules_of"] = modules_of


@dataclass(frozen=True, slots=True)
class Page:
    """One entry of the rail. `counter` names the number of `GET /v1/status` shown beside it."""

    name: str
    title: str
    group: str
    counter: str = ""

    @property
    def path(self) -> str:
        return f"/{self.name}"


# The rail, from top to bottom. A page whose back end does not exist yet is not here: no promise without a room behind it.
PAGES = (
    Page("today", "Today", "Work"),
    Page("queue", "Queue", "Work", "waiting"),
    Page("exceptions", "Exceptions", "Work", "exceptions"),
    Page("orders", "Orders", "Work", "orders_open"),
    Page("data-problems", "Data problems", "Work"),
    Page("items", "Items", "Understand"),
    Page("suppliers", "Suppliers", "Understand"),
    Page("classes", "Classes", "Understand"),
    Page("forecasts", "Forecasts", "Understand"),
    Page("backtests", "Back-tests", "Understand"),
    Page("scenarios", "Scenarios", "Understand"),
    Page("policy", "Policy", "Govern"),
    Page("audit", "Audit", "Govern"),
    Page("usage", "Usage", "Govern"),
    Page("settings", "Settings", "Govern"),
)
GROUPS = tuple(dict.fromkeys(page.group for page in PAGES))


def safe_next(target: str) -> str:
    """Where to go after signing in: a path of this site, never another site (`//host`, `https:`, a backslash trick)."""
    parts = urlsplit(target)
    is_own_path = (
        target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    )
    return target if is_own_path and not any(ord(letter) < 32 for letter in target) else "/today"


def initials(name: str) -> str:
    """Two letters for the round badge: of two words the first of each, else the first two."""
    words = [word for word in name.replace(".", " ").replace("_", " ").replace("-", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    letters = words[0][0] + words[1][0] if len(words) > 1 else words[0][:2]
    return letters.upper()


def _render(
    request: Request, template: str, viewer: Principal | None, *, status: int = 200, **values: object
) -> HTMLResponse:
    theme = request.cookies.get("countersign_theme", "")
    html = _templates.get_template(template).render(
        pages=PAGES,
        groups=GROUPS,
        theme=theme if theme in THEMES else "",
        viewer=viewer,
        badge=initials(viewer.subject) if viewer else "",
        **values,
    )
    # A shell names the person who is signed in, so no cache may keep it for the next one.
    return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})


def _to_sign_in(request: Request) -> RedirectResponse:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(wanted, safe='')}", status_code=303)


@router.get("/")
async def home() -> RedirectResponse:
    """The day starts on Today."""
    return RedirectResponse("/today", status_code=303)


@router.get("/favicon.ico")
async def favicon() -> RedirectResponse:
    """Browsers ask for this path unprompted; the mark is an SVG."""
    return RedirectResponse("/static/mark.svg", status_code=308)


@router.get("/sign-in")
async def sign_in(
    request: Request, viewer: Viewer, target: Annotated[str, Query(alias="next")] = "/today", ended: bool = False
) -> Response:
    """The way in. Someone who is in already goes where they wanted to go. `ended`: a session was over in the midst of work."""
    if viewer is not None:
        return RedirectResponse(safe_next(target), status_code=303)
    return sign_in_page(request, target, ended=ended)


def sign_in_page(request: Request, target: str, refusal: Problem | None = None, *, ended: bool = False) -> Response:
    """The way in, with what became of an attempt by single sign-on, if there was one."""
    parts: Context = request.app.state.context
    return _render(
        request,
        "sign_in.html",
        None,
        status=200 if refusal is None else refusal.status,
        page="sign-in",
        title="Sign in",
        next=safe_next(target),
        sign_on=parts.settings.sign_on_name if parts.sign_on.is_on else "",
        refusal=refusal,
        ended=ended,
    )


@router.get("/docs/problems")
async def problem_codes(request: Request) -> Response:
    """Where the `type` of every problem document leads; for everybody, since a refusal may be to sign in first."""
    return _render(request, "problems.html", None, page="problems", title="Problems", problems=problems.load().values())


@router.get("/docs/events")
async def events(request: Request, viewer: Viewer) -> Response:
    """What every event says, for who connects a system."""
    if viewer is None:
        return _to_sign_in(request)
    return _render(request, "events.html", viewer, page="events", title="Events", topics=event_contracts.topics())


@router.get("/items/{sku}/{location}")
async def item(request: Request, viewer: Viewer, sku: str, location: str) -> Response:
    """Everything about one product in one place, on a page of its own."""
    if viewer is None:
        return _to_sign_in(request)
    return _render(request, "item.html", viewer, page="items", title="Item", sku=sku, location=location)


@router.get("/{name}")
async def page(request: Request, viewer: Viewer, name: str) -> Response:
    """A page of the rail, or an honest 404 with the way back."""
    if viewer is None:
        return _to_sign_in(request)
    for candidate in PAGES:
        if candidate.name == name:
            return _render(request, f"{name}.html", viewer, page=name, title=candidate.title)
    return _render(
        request, "not_found.html", viewer, status=404, page="", title="Page not found", path=request.url.path
    )
