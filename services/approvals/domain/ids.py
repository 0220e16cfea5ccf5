"""Ids that follow from their causes, in the alphabet every ERP takes as an external id: letters, digits, `_` and `-`."""

import uuid
from collections.abc import Iterable

# The namespace of every derived id of this system (the plumbing uses the same), so that anyone can compute them again.
IDS = uuid.uuid5(uuid.NAMESPACE_URL, "countersign:ids")
ORDER_PREFIX = {"purchase_order": "PO", "transfer": "TR", "allocation": "AL", "change": "CH", "cancel": "CA"}


def _derived(*parts: str) -> str:
    return str(uuid.uuid5(IDS, "\x1f".join(parts)))


def decision_id(tenant: str, line_id: str, version: int) -> str:
    """The id of the decision that made this version of the line."""
    return _derived("decision", tenant, line_id, str(version))


def order_id(tenant: str, kind: str, decision_ids: Iterable[str]) -> str:
    """The id of the order these decisions cause: the same decisions, in any order, always make the same order."""
    return f"{ORDER_PREFIX[kind]}-{_derived('order', tenant, kind, *sorted(decision_ids))}"
