"""Whether words about a recommendation are true to it: a number that its own words do not hold may not appear in others."""

import re
from collections.abc import Mapping
from typing import Any

TEXT_MAX = 2_000  # characters; more is not a reason but an essay
# A date and a time of the day are one number each, so that no part of one passes for a quantity.
_NUMBER = re.compile(r"\d{4}-\d{2}-\d{2}|\d+(?:[.,:]\d+)*")
# Numbers that have no digits cannot be looked up, so none of them may be used.
_IN_WORDS = re.compile(
    r"\b(zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety|hundreds?|thousands?|millions?|dozens?|half|halves|third|quarters?|twice|double[ds]?|triple[ds]?)\b",
    re.IGNORECASE,
)


def words_of(document: Mapping[str, Any]) -> str:
    """All that is told of a recommendation in sentences: the explanation, and what each step says."""
    return "\n".join([document["explanation"], *(step["says"] for step in document["steps"])])


def fault_in(text: str, words: str) -> str | None:
    """Why a text may not stand beside these words, in a sentence; None when every number in it is one of theirs."""
    if not text.strip():
        return "it is empty"
    if len(text) > TEXT_MAX:
        return f"it has {len(text)} characters, at most {TEXT_MAX} are shown"
    known = {_plain(one) for one in _NUMBER.findall(words)}
    invented = sorted({one for one in _NUMBER.findall(text) if _plain(one) not in known})
    if invented:
        return f"it holds {', '.join(invented[:5])}, which the evidence does not"
    unreadable = sorted({one for one in text if one.isnumeric() and not (one.isascii() and one.isdigit())})
    named = sorted({one.lower() for one in _IN_WORDS.findall(text)} - {one.lower() for one in _IN_WORDS.findall(words)})
    if unreadable or named:
        return f"it tells numbers without digits ({', '.join([*unreadable, *named][:5])}), which nobody can look up"
    return None


def _plain(number: str) -> str:
    """Equal numbers alike: idle zeros behind the point say nothing."""
    whole, point, part = number.partition(".")
    return f"{whole}{point}{part.rstrip('0')}".rstrip(".") if point else number
