"""A dead letter's event as a person corrects it: its identity, and where else the same event may have died."""

from collections.abc import Mapping
from typing import Any

from kernel.ids import derived_id

SOURCE = "countersign/corrections"
SOURCE_MAX, CAUSE_MAX = 200, 128


def corrected_event(
    tenant: str, letter: Mapping[str, Any], message_type: str, time: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    """The structured event that stands for the one that died. Its id follows from the place alone: a second correction
    of the same place is the same event, or a conflict that is refused; never a second count."""
    place = (letter["topic"], str(letter["partition"]), str(letter["offset"]))
    event: dict[str, Any] = {
        "id": derived_id("corrected", tenant, *place),
        "source": _text(letter.get("source"), SOURCE_MAX) or SOURCE,
        "type": message_type,
        "time": time,
        "data": dict(data),
    }
    cause = _text(letter.get("event_id"), CAUSE_MAX)
    return event | ({"causationid": cause} if cause else {})


def sibling_letters(namespace: str, service: str, letter: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids the same event's letter may have at `service`: a record is named by its topic on the broker when it could
    not be read, and by the catalogue's name when its id was used before."""
    tail = f"{letter['partition']}/{letter['offset']}"
    return tuple(
        derived_id("dead", service, f"{topic}/{tail}") for topic in (f"{namespace}.{letter['topic']}", letter["topic"])
    )


def _text(value: Any, longest: int) -> str:
    return value if isinstance(value, str) and len(value) <= longest and value.isprintable() else ""
