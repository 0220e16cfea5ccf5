"""A yes before something is dropped: from the person at the terminal, or from `--yes` where there is none."""

import sys

import typer

from cli.errors import Exit, Trouble


def agreed(question: str, *, yes: bool, default: bool = False) -> bool:
    """Whether `question` was answered with yes; `yes` says that it need not be asked.

    Raises Trouble: confirmation_missing, where nobody can be asked.
    """
    if not yes and not sys.stdin.isatty():
        raise Trouble(
            "confirmation_missing",
            f"{question} Nobody said yes, so nothing was done.",
            why="there is no terminal to ask at",
            way_out="add --yes",
            exit_code=Exit.USAGE,
        )
    return yes or typer.confirm(question, default=default)
