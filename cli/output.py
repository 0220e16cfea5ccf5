"""What the command line says: results on standard output, progress and failures on standard error."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.errors import Trouble

# Rich leaves colour out when the stream is no terminal or NO_COLOR is set.
_progress = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """One line of progress."""
    _progress.print(f"[dim]·[/dim] {escape(line)}")


def done(line: str) -> None:
    """A step that is finished."""
    _progress.print(f"[green]✓[/green] {escape(line)}")


def warn(line: str) -> None:
    """Something a person should look at."""
    _progress.print(f"[yellow]![/yellow] {escape(line)}")


def fail(trouble: Trouble, *, as_json: bool) -> None:
    """A failure: code, what, why, way out; as one JSON object on standard output when that was asked for."""
    if as_json:
        result(trouble.as_dict())
        return
    _progress.print(f"[red]✗[/red] [bold]{trouble.code}[/bold]: {escape(trouble.what)}")
    _progress.print(f"  why: {escape(trouble.why)}")
    _progress.print(f"  way out: {escape(trouble.way_out)}")


def result(value: Any) -> None:
    """The result as JSON, one object."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def line(text: str) -> None:
    """One line of the result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The result as aligned columns, readable off a terminal too."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    for row in texts:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
