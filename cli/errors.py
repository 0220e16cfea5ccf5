"""What goes wrong at the command line, said so that the reader can act: code, what, why, way out."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; they are contract, scripts depend on them."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    MISSING = 3
    PORT_BUSY = 4
    INTERRUPTED = 130


class Trouble(Exception):
    """A failure a person can act on.

    `code` is stable snake_case, for searching and scripts. `what` is one sentence saying what failed, `why` the
    cause as far as it is known, `way_out` the next command or change. `exit_code` is what the process ends with.
    """

    def __init__(self, code: str, what: str, *, why: str, way_out: str, exit_code: Exit = Exit.FAILURE) -> None:
        super().__init__(f"{code}: {what} Why: {why} Way out: {way_out}")
        self.code = code
        self.what = what
        self.why = why
        self.way_out = way_out
        self.exit_code = exit_code

    def as_dict(self) -> dict[str, str | int]:
        """The same, for `--json`."""
        return {
            "error": self.code,
            "what": self.what,
            "why": self.why,
            "way_out": self.way_out,
            "exit_code": int(self.exit_code),
        }
