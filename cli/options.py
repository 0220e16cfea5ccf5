"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Folder for local data.", envvar="COUNTERSIGN_DATA_DIR", show_default=".countersign"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on standard output.")]
AnyPort = Annotated[bool, typer.Option("--any-port", help="Where a port is taken, use a free one.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
