"""From an event to the entry that stands for it: which of its facts the log says in the clear, and who acted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.audit.domain.entries import Actor, Draft

# Types of the entries no event stands behind, and the source they are filed under; no topic carries such a type.
OWN_TYPES, OWN_SOURCE = "audit.", "countersign/audit"
FACT_CHARACTERS_MAX = 200  # entries must stay far below 65,535 bytes whatever a header holds

# Facts the verifier, the search and a reader without the payload need. Names as in schemas/.
_ITEM = ("sku", "location")
_FORECAST = (*_ITEM, "forecast_id", "origin", "strategy", "model_id", "revision")
_FACTS: Mapping[str, tuple[str, ...]] = {
    "recommendation.issued.v1": (
        *_ITEM,
        *("recommendation_id", "line_id", "supersedes", "action", "quantity", "value", "currency"),
        *("approved_by_rule", "policy_version", "forecast_id", "evidence_sha256", "code_version"),
    ),
    "recommendation.withheld.v1": (*_ITEM, "recommendation_id", "supersedes", "reason", "evidence_sha256"),
    "decision.made.v1": (
        *_ITEM,
        *("decision_id", "recommendation_id", "line_id", "version", "verdict"),
        *("quantity_before", "quantity", "value", "currency", "reason_code"),
    ),
    "order.released.v1": ("order_id", "kind", "supplier", "location", "value", "currency"),
    "order.cancelled.v1": ("order_id", "reason_code"),
    "order.updated.v1": ("order_id", "status", "location"),
    "forecast.issued.v1": _FORECAST,
    "forecast.issued.v2": _FORECAST,
    "forecast-override.set.v1": (
        *_ITEM,
        *("override_id", "kind", "category", "from_on", "to_on", "units", "reason", "expires_on"),
    ),
    "forecast-override.withdrawn.v1": ("override_id",),
    "strategy-pin.set.v1": (*_ITEM, "pin_id", "strategy", "category", "abc_class", "reason"),
    "strategy-pin.withdrawn.v1": ("pin_id",),
    "model.promoted.v1": ("model_id", "segment", "strategy", "artefact_sha256"),
    "exception.raised.v1": (*_ITEM, "exception_id", "kind", "supplier"),
    "exception.resolved.v1": ("exception_id",),
    "policy.published.v1": ("scope", "version"),
    "approval-matrix.published.v1": ("version",),
    "line.assigned.v1": ("line_id", "recommendation_id", "owner", "due_at", "escalate_to", "signatures"),
    "line.commented.v1": (*_ITEM, "line_id", "recommendation_id", "comment_id"),
    "signal.observed.v1": ("signal_id", "kind"),
    "account.changed.v1": ("username", "change", "roles", "roles_before", "active", "signs_in_by"),
    "api-key.changed.v1": ("key_id", "change", "scopes", "expires_at"),
}
_OTHER = (*_ITEM, "supplier", "channel", "code", "target", "predecessor", "successor", "substitute", "owner")
# Where an event says who acted: (field of the subject, field or constant of the role).
_ACTORS: Mapping[str, tuple[str, str]] = {
    "decision.made.v1": ("decided_by", "role"),
    "line.commented.v1": ("commented_by", "role"),
    "order.cancelled.v1": ("cancelled_by", "=canceller"),
    "policy.published.v1": ("published_by", "=policy_publisher"),
    "approval-matrix.published.v1": ("approved_by", "=matrix_publisher"),
    "forecast-override.set.v1": ("set_by", "=forecast_editor"),
    "forecast-override.withdrawn.v1": ("withdrawn_by", "=forecast_editor"),
    "strategy-pin.set.v1": ("set_by", "=forecast_editor"),
    "strategy-pin.withdrawn.v1": ("withdrawn_by", "=forecast_editor"),
    "account.changed.v1": ("changed_by", "role"),
    "api-key.changed.v1": ("changed_by", "role"),
}
# Events that can hold personal data: a name or what a person wrote. Their payload is committed to under a salt.
PERSONAL = frozenset(
    {
        *("decision.made.v1", "order.cancelled.v1", "order.updated.v1", "policy.published.v1"),
        *("approval-matrix.published.v1", "line.assigned.v1", "line.commented.v1"),
        *("owner-scope.defined.v1", "forecast-override.set.v1", "forecast-override.withdrawn.v1"),
        *("strategy-pin.set.v1", "strategy-pin.withdrawn.v1", "account.changed.v1"),
    }
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an event came from: its CloudEvents attributes and its place on a topic."""

    id: str
    source: str
    type: str
    time: datetime
    key: str
    subject: str | None
    correlation_id: str | None
    causation_id: str | None
    topic: str
    partition: int
    offset: int


def _said(value: Any) -> str | int | None:
    """A fact as the profile can hold it; None for what it cannot."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value:
        return value[:FACT_CHARACTERS_MAX]
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)[:FACT_CHARACTERS_MAX]
    return None


def _actor(source: Source, body: Mapping[str, Any]) -> Actor:
    where = _ACTORS.get(source.type)
    if where is None:
        return Actor(source.source[:FACT_CHARACTERS_MAX], "service")
    who, role = body.get(where[0]), where[1]
    stated = role[1:] if role.startswith("=") else str(body.get(role, "unknown"))
    return Actor(str(who or source.source)[:FACT_CHARACTERS_MAX], stated[:FACT_CHARACTERS_MAX])


def event_draft(source: Source, body: Mapping[str, Any], payload_sha256: str) -> Draft:
    """The entry of one event. `body` is its parsed payload."""
    facts: dict[str, str | int] = {
        "source": source.source[:FACT_CHARACTERS_MAX],
        "topic": source.topic,
        "partition": source.partition,
        "offset": source.offset,
        "key": source.key[: FACT_CHARACTERS_MAX * 2],
    }
    for name, attribute in (("correlation_id", source.correlation_id), ("causation_id", source.causation_id)):
        if attribute:
            facts[name] = attribute[:FACT_CHARACTERS_MAX]
    if source.type in PERSONAL:
        facts["payload_form"] = "salted"
    for name in _FACTS.get(source.type, _OTHER):
        said = _said(body.get(name))
        if said is not None:
            facts[name] = said
    # The limits that held when someone decided: without them nobody can say whether one signature was enough.
    limits = body.get("limits")
    for name, limit in limits.items() if source.type == "decision.made.v1" and isinstance(limits, dict) else ():
        if isinstance(limit, str) and isinstance(name, str) and name.isascii():
            facts[f"limit_{name[:40]}"] = limit[:FACT_CHARACTERS_MAX]
    # A subject attribute names what the event is about; without one, the record key does.
    subject = (source.subject or source.key or source.type)[: FACT_CHARACTERS_MAX * 2]
    return Draft(
        source.id[:FACT_CHARACTERS_MAX], source.type, source.time, _actor(source, body), subject, payload_sha256, facts
    )


def identity_of(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """(source, id) of what an entry stands for; None where one of them was too long to stand in the entry whole.

    What the log says itself (batches, conflicts, erasures, heads of other logs) has an id of its own, whatever event it is about.
    """
    if entry["type"].startswith(OWN_TYPES):
        return OWN_SOURCE, entry["id"]
    source, event_id = entry["source"], entry["id"]
    return None if max(len(source), len(event_id)) >= FACT_CHARACTERS_MAX else (source, event_id)


def item_of(fields: Mapping[str, Any]) -> str | None:
    """`sku/location` of an entry that is about one item."""
    sku, location = fields.get("sku"), fields.get("location")
    return f"{sku}/{location}" if sku and location else None
