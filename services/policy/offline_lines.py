"""Lines beside the orders of a file: transfers between its locations, chosen before the orders are planned, and changes of its
open orders. The live run's own code decides; here items only meet as products of one file."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from services.policy.domain.cascade import CHUNK_ITEMS
from services.policy.domain.evidence import Evidence
from services.policy.domain.evidence_text import canonical_with
from services.policy.domain.outcome import Recommendation
from services.policy.domain.reckoning import reckon
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.transfer_lines import transfers_of
from services.policy.offline_files import LINES

Proposed = tuple[Evidence, Recommendation]


def transfers_in(evidences: Sequence[Evidence]) -> list[Proposed]:
    """Transfers that pay between the locations of each product. The policy says whether stock moves at all."""
    if not evidences or evidences[0].policy.parameters.transfer_days <= 0:
        return []
    of_sku: dict[str, list[Evidence]] = {}
    for one in evidences:
        of_sku.setdefault(one.sku, []).append(one)
    shared = [one for those in of_sku.values() if len(those) > 1 for one in those]
    lacking, sparing = _sides(shared)
    moves: list[Proposed] = []
    for sku in sorted(lacking.keys() & sparing.keys()):
        moves += transfers_of(lacking[sku], sparing[sku])
    return moves


def _sides(evidences: Sequence[Evidence]) -> tuple[dict[str, list[Evidence]], dict[str, list[Evidence]]]:
    """By product, the locations that would buy and those that have more on the shelf than their reorder point."""
    lacking: dict[str, list[Evidence]] = {}
    sparing: dict[str, list[Evidence]] = {}
    ready = [(one, found) for one in evidences if not isinstance(found := screen(heeded(one)), Fault)]
    for start in range(0, len(ready), CHUNK_ITEMS):
        chunk = ready[start : start + CHUNK_ITEMS]
        reckoned = reckon([one for one, _found in chunk], [found for _one, found in chunk])
        lacks = reckoned.lots.unlimited > 0
        spares = ~lacks & (reckoned.levels.available > reckoned.levels.reorder_point)
        for rows, sides in ((lacks, lacking), (spares, sparing)):
            for row in np.flatnonzero(rows):
                one = chunk[int(row)][0]
                sides.setdefault(one.sku, []).append(one)
    return lacking, sparing


def line_rows(lines: Iterable[Proposed], documents: bool) -> dict[str, list[Any]]:
    """The rows of lines for their file, by column."""
    rows: dict[str, list[Any]] = {one.name: [] for one in LINES}
    for evidence, outcome in lines:
        told = _told(evidence, outcome, documents)
        for name, values in rows.items():
            values.append(told.get(name))
    return rows


def _told(evidence: Evidence, outcome: Recommendation, documents: bool) -> dict[str, Any]:
    document = outcome.said
    text = ("action", "unit", "supplier", "from_location", "changes_order", "currency", "evidence_sha256")
    return {name: document.get(name) for name in text} | {
        "sku": evidence.sku, "location": evidence.location, "as_of": evidence.as_of, "says": document["explanation"],
        "quantity": outcome.quantity, "value": outcome.value, "money_at_risk": Decimal(document["money_at_risk"]),
        "order_on": date.fromisoformat(document["order_on"]), "arrive_on": date.fromisoformat(document["arrive_on"]),
        "confidence": float(document["confidence"]), "approved_by_rule": document["approved_by_rule"],
        "route_reasons": ",".join(document["route_reasons"]), "recommendation_id": outcome.recommendation_id,
        "document": canonical_with(document, outcome.parts).decode() if documents else None,
    }  # fmt: skip
