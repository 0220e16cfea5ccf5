"""Coded reasons for what a person does against or later than a recommendation: the codes are contract, the labels are words."""

from services.approvals.domain.refusals import Refusal

AMEND = {
    "promotion_known": "A promotion is coming or over",
    "event_known": "A local event the forecast does not know",
    "supplier_terms": "The supplier's terms changed",
    "truck_fill": "Fill the truck or reach the free freight",
    "shelf_space": "Not enough space",
    "cash": "Cash is short",
    "forecast_too_high": "The forecast is too high",
    "forecast_too_low": "The forecast is too low",
    "stock_record_wrong": "The stock record is wrong",
    "other": "Something else, see the note",
}
REJECT = {
    "not_needed": "Not needed",
    "delisted": "The item is being delisted",
    "ordered_elsewhere": "Already ordered another way",
    "supplier_problem": "The supplier cannot or should not deliver",
    "stock_record_wrong": "The stock record is wrong",
    "forecast_too_high": "The forecast is too high",
    "cash": "Cash is short",
    "other": "Something else, see the note",
}
SNOOZE = {
    "waiting_for_information": "Waiting for information",
    "waiting_for_supplier": "Waiting for the supplier",
    "not_urgent": "Not urgent",
    "other": "Something else, see the note",
}
RECALL = {
    "ordered_in_error": "Ordered in error",
    "supplier_problem": "The supplier cannot deliver",
    "demand_changed": "Demand changed",
    "other": "Something else, see the note",
}


def check(verb: str, known: dict[str, str], code: str | None, note: str | None, *, required: bool) -> None:
    """Refuse a missing or unknown reason. Raises Refusal: reason_missing, reason_unknown, note_missing."""
    if code is None:
        if required:
            raise Refusal("reason_missing", f"To {verb} a line, say why: one of {', '.join(known)}.", "reason")
        return
    if code not in known:
        raise Refusal("reason_unknown", f"The reason {code[:64]!r} is not one of {', '.join(known)}.", "reason")
    if code == "other" and not (note or "").strip():
        raise Refusal("note_missing", "The reason 'other' needs a note that says what it is.", "note")
