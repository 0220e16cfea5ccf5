"""The registry of problem codes: what a caller can be told, what it means and what to do. Read from problems.yaml."""

from dataclasses import dataclass
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("problems.yaml")


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One code as `/docs/problems` explains it. `statuses` are the HTTP statuses it can come with."""

    code: str
    statuses: tuple[int, ...]
    title: str
    happened: str
    do: str


def load() -> dict[str, ProblemKind]:
    """Every code, in the order of the file. Raises KeyError, TypeError for an entry that lacks a part or has one too many."""
    return {
        code: ProblemKind(code, tuple(entry.pop("status")), **entry)
        for code, entry in yaml.safe_load(FILE.read_text("utf-8")).items()
    }
