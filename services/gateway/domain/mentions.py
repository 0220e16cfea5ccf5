"""Whose attention a comment asks for: `@name` in its text, where `name` is an account's."""

import re
from collections.abc import Iterable

MENTIONS_MAX = 20
# As a user name is written, in any case. Behind a letter or digit an @ belongs to an address, not to a mention.
_NAMED = re.compile(r"(?<![\w.+-])@([a-z0-9][a-z0-9._@+-]{0,63})", re.IGNORECASE)
_STOPS = "._@+-"  # a name may hold these; at its end they are the sentence's


def mentioned(text: str, usernames: Iterable[str]) -> tuple[str, ...]:
    """Those of `usernames` that the text names, each once, in the order of the text; at most `MENTIONS_MAX`."""
    known = frozenset(usernames)
    found: dict[str, None] = {}
    for written in _NAMED.findall(text):
        name = written.lower()
        while name and name not in known and name[-1] in _STOPS:
            name = name[:-1]
        if name in known:
            found[name] = None
    return tuple(found)[:MENTIONS_MAX]
