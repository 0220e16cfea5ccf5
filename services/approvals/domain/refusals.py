"""How the rules say no: a stable code for machines, a sentence for people, and the field or way out where there is one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """The business says no. `code` is contract; `says` tells what is wrong and what to do next; `field` names the input."""

    code: str
    says: str
    field: str | None = None
    nearest_legal: str | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.says}"
