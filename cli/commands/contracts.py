"""`schemas`: write again what is made from contracts, settings, routes and the lock, or say what is stale."""

from typing import Annotated

import typer

from cli import contracts, openapi, output, sbom, settings_page
from cli.errors import Trouble
from cli.local import ROOT
from cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(schemas)


def schemas(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a file is stale.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make topic constants, JSON Schemas, AsyncAPI, OpenAPI, the flow picture, settings page and bill of materials.

    \b
    Examples:
      ./run schemas
      ./run schemas --check
    """
    stale = [*contracts.stale(ROOT), *settings_page.stale(ROOT), *openapi.stale(ROOT), *sbom.stale(ROOT)]
    names = sorted(str(path.relative_to(ROOT)) for path in stale)
    if check and stale:
        raise Trouble(
            "generated_files_stale",
            f"{len(names)} generated files differ from what they are made of.",
            why=", ".join(names[:8]),
            way_out="`./run schemas`, then look at the difference and commit it",
        )
    if not check:
        contracts.write(ROOT)
        settings_page.write(ROOT)
        openapi.write(ROOT)
        sbom.write(ROOT)
    if as_json:
        output.result({"written": [] if check else names})
    else:
        output.line("\n".join(f"wrote {name}" for name in names) if names else "everything is up to date")
