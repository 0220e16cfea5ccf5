"""Ids that follow from their causes, in the alphabet every ERP takes as an external id: letters, digits, `_` and `-`."""

from collections.abc import Iterable

from kernel.ids import derived_id

ORDER_PREFIX = {"purchase_order": "PO", "transfer": "TR", "allocation": "AL", "change": "CH", "cancel": "CA"}


def decision_id(tenant: str, line_id: str, version: int) -> str:
    """The id of the decision that made this version of the line."""
    return derived_id("decision", tenant, line_id, str(version))


def order_id(tenant: str, kind: str, decision_ids: Iterable[str]) -> str:
    """The id of the order these decisions cause: the same decisions, in any order, always make the same order."""
    return f"{ORDER_PREFIX[kind]}-{derived_id('order', tenant, kind, *sorted(decision_ids))}"
