"""Ids that follow from what they name: the same text in the same namespace has the same id, wherever and whenever it is made."""

from hashlib import sha1
from uuid import NAMESPACE_URL, UUID, uuid5


class Namespace:
    """`uuid.uuid5` of one namespace (RFC 9562, section 5.5) as text, in a quarter of its time: every event needs one or two."""

    def __init__(self, namespace: UUID) -> None:
        self._begun = sha1(namespace.bytes, usedforsecurity=False)  # names things and proves nothing

    def id_of(self, text: str) -> str:
        """The id of this text."""
        hashed = self._begun.copy()
        hashed.update(text.encode())
        digits = hashed.hexdigest()
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


# Every derived id lives in this namespace, so that it can be computed again by anyone.
IDS = uuid5(NAMESPACE_URL, "countersign:ids")
_OF_CAUSES = Namespace(IDS)


def derived_id(*parts: str) -> str:
    """The id that follows from its causes: the same parts give the same id, so a replay repeats and never doubles."""
    return _OF_CAUSES.id_of("\x1f".join(parts))
