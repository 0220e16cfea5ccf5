"""docs/settings.md, made from the settings classes themselves: name, default, meaning, which process reads it."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from cli.local import LocalSettings
from cli.platform.databases import SERVICES
from kit.settings import ServiceSettings

HEAD = """# Settings

Made from the settings classes by `./run schemas`; change those instead. Every setting is an environment variable. Where
a value is secret, `<NAME>_FILE` may name a file that holds it.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, _section("Every service", ServiceSettings, set())]
    common = set(ServiceSettings.model_fields)
    parts += [_section(f"The service {name}", found, common) for name in SERVICES for found in _classes(name)]
    parts.append(_section("The command line and the local platform", LocalSettings, set()))
    return "\n".join(part for part in parts if part)


def stale(root: Path) -> list[Path]:
    """The page, when it is missing or no longer true."""
    path = root / "docs/settings.md"
    return [path] if not path.exists() or path.read_text("utf-8") != page() else []


def write(root: Path) -> None:
    """Write the page."""
    (root / "docs/settings.md").write_text(page(), "utf-8")


def undocumented() -> list[str]:
    """Settings without a description, as Class.field."""
    classes: list[type[BaseSettings]] = [ServiceSettings, LocalSettings]
    classes += [found for name in SERVICES for found in _classes(name)]
    rows = {f"{c.__name__}.{name}" for c in classes for name, field in c.model_fields.items() if not field.description}
    return sorted(rows)


def _classes(service: str) -> list[type[BaseSettings]]:
    """The settings classes a service defines itself."""
    module_name = f"services.{service}.settings"
    if importlib.util.find_spec(module_name) is None:
        return []
    module = importlib.import_module(module_name)
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == module_name
    ]


def _section(title: str, settings: type[BaseSettings], skip: set[str]) -> str:
    prefix = settings.model_config.get("env_prefix", "")
    rows = [
        f"| `{prefix}{name.upper()}` | {_shown(field.default)} | {field.description or ''} |"
        for name, field in settings.model_fields.items()
        if name not in skip or field.default != ServiceSettings.model_fields[name].default
    ]
    if not rows:
        return ""
    return "\n".join([f"## {title}", "", "| variable | default | meaning |", "|---|---|---|", *rows, ""])


def _shown(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return ""
    return f"`{default.get_secret_value() if isinstance(default, SecretStr) else default}`"
