"""Stages of a long command: what is being done now, how far it is, how long it took. A terminal sees it move, a log sees lines."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from cli import output

Tell = Callable[[str], None]
# Off a terminal a line now and then is enough to see that it lives.
LINE_SECONDS = 5.0


class Stages:
    """Runs named stages and remembers their seconds, for the JSON at the end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[Tell]:
        """Do one stage; inside, call the result with how far it is. The last words are kept beside the tick."""
        started = time.monotonic()
        last = ""
        if sys.stderr.isatty():
            with Console(stderr=True).status(escape(title)) as status:

                def moving(detail: str) -> None:
                    nonlocal last
                    last = detail
                    status.update(f"{escape(title)} [dim]{escape(detail)}[/dim]")

                yield moving
        else:
            said_at = started

            def lines(detail: str) -> None:
                nonlocal last, said_at
                last = detail
                if time.monotonic() - said_at > LINE_SECONDS:
                    said_at = time.monotonic()
                    output.say(f"{title} {detail}")

            yield lines
        took = time.monotonic() - started
        self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 2)
        output.done(f"{title}{f': {last}' if last else ''} ({took:.1f} s)")


def wait_until(is_done: Callable[[], bool], *, seconds: float, every: float = 0.25) -> bool:
    """Look again and again until `is_done`, for at most `seconds`; whether it was."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
