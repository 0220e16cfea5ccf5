"""The API's description, `docs/openapi.json`, made from the gateway's own routes. `./run schemas` writes it."""

import json
from pathlib import Path

from kit.http import create_app
from services.gateway import api, web
from services.gateway.settings import GatewaySettings

PATH = Path("docs/openapi.json")


def document() -> str:
    """OpenAPI 3.1 of the gateway: no server is needed to make it."""
    app = create_app("gateway", title="Countersign", description=web.DESCRIPTION)
    api.attach(app)
    web.attach(app, GatewaySettings())
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def stale(root: Path) -> list[Path]:
    """The file, when it is missing or differs from what the routes say now."""
    path = root / PATH
    return [] if path.exists() and path.read_text("utf-8") == document() else [path]


def write(root: Path) -> None:
    """Write it."""
    (root / PATH).write_text(document(), "utf-8")
