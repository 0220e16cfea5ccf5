"""What every answer is made of."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class View(BaseModel):
    """Something a page shows."""

    model_config = ConfigDict(extra="forbid")


class Page(View, Generic[T]):
    """One page of a list. Continue with the same query and `cursor=next_cursor`."""

    items: list[T]
    next_cursor: str | None = None
    total: int | None = None


class Listed(View, Generic[T]):
    items: list[T]


class Coded(View):
    """A code and its words."""

    code: str
    label: str


class Counted(Coded):
    count: int
