"""Who may call which route. Deny by default: a route that is not in `ROUTES` answers nobody.

People hold roles, machines hold scopes of an API key; a person never acts through a scope, a machine never through a role.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

PLANNER: Final = "planner"
APPROVER: Final = "approver"
AUDITOR: Final = "auditor"
ADMIN: Final = "admin"
ROLES: Final = (PLANNER, APPROVER, AUDITOR, ADMIN)
Role = Literal["planner", "approver", "auditor", "admin"]

# Nobody's role by itself: as what a person looks who wants to see what somebody who only reads sees.
VIEWER: Final = "viewer"
Seat = Literal["planner", "approver", "auditor", "admin", "viewer"]

SCOPES: Final = ("ingest", "read", "decide", "plan", "audit")

# Signed in is enough to look: a planner's numbers are no secret to the approver, auditor or administrator of the tenant.
EVERYONE: Final = frozenset((*ROLES, VIEWER))
# Who answers for the whole: what a person covers never limits what these read.
READS_ALL: Final = frozenset({AUDITOR, ADMIN})


@dataclass(frozen=True, slots=True)
class Rule:
    """What a caller needs: one of `roles` for a person, `scope` for a machine (None: no machine at all).

    `public` routes answer without any identity; there are very few.
    """

    roles: frozenset[str] = frozenset()
    scope: str | None = None
    public: bool = False

    def admits(self, roles: Iterable[str], scopes: Iterable[str]) -> bool:
        return (
            self.public
            or bool(self.roles & frozenset(roles))
            or (self.scope is not None and self.scope in frozenset(scopes))
        )


def _people(*roles: str, scope: str | None = None) -> Rule:
    return Rule(frozenset(roles), scope)


_READ: Final = Rule(EVERYONE, "read")
_SELF: Final = Rule(EVERYONE)
_DECIDE: Final = _people(PLANNER, APPROVER, scope="decide")
_PLAN: Final = _people(PLANNER, APPROVER, ADMIN, scope="plan")
# Events that are held up: who answers for the numbers says what they mean. No machine does.
_MEND: Final = _people(PLANNER, APPROVER, ADMIN)
_AUDIT: Final = _people(AUDITOR, ADMIN, scope="audit")
_GOVERN: Final = _people(APPROVER, ADMIN)
_ADMIN: Final = _people(ADMIN)
_PUBLIC: Final = Rule(public=True)

ROUTES: Final[Mapping[tuple[str, str], Rule]] = {
    ("POST", "/v1/session"): _PUBLIC,
    ("DELETE", "/v1/session"): _SELF,
    ("GET", "/v1/session"): _SELF,
    ("PUT", "/v1/session/password"): _SELF,
    ("PUT", "/v1/session/seat"): _SELF,
    ("GET", "/v1/openapi.json"): _READ,
    ("GET", "/v1/asyncapi.json"): _READ,
    ("POST", "/v1/events"): Rule(frozenset({ADMIN}), "ingest"),
    ("POST", "/v1/epcis/capture"): Rule(frozenset({ADMIN}), "ingest"),
    ("POST", "/v1/order-answers"): Rule(frozenset({ADMIN}), "ingest"),
    ("GET", "/v1/dead-letters"): _READ,
    ("GET", "/v1/dead-letters/{service}/{letter_id}"): _READ,
    ("POST", "/v1/dead-letters:replay"): _MEND,
    ("POST", "/v1/dead-letters:drop"): _MEND,
    ("POST", "/v1/dead-letters/{service}/{letter_id}/correction"): _MEND,
    ("GET", "/v1/parked"): _READ,
    ("GET", "/v1/parked/events"): _READ,
    ("POST", "/v1/parked:release"): _MEND,
    ("POST", "/v1/parked:drop"): _MEND,
    ("GET", "/v1/names/{subject}/{code}"): _READ,
    ("POST", "/v1/aliases"): _MEND,
    ("GET", "/v1/recommendations"): _READ,
    ("GET", "/v1/recommendations.csv"): _READ,
    ("GET", "/v1/recommendations/summary"): _READ,
    ("GET", "/v1/recommendations/{recommendation_id}"): _READ,
    ("GET", "/v1/recommendations/{recommendation_id}/rationale"): _READ,
    ("POST", "/v1/recommendations/{recommendation_id}/decisions"): _DECIDE,
    ("POST", "/v1/recommendations/{recommendation_id}/comments"): _SELF,
    ("POST", "/v1/recommendations/{recommendation_id}/undo"): _DECIDE,
    ("GET", "/v1/mentions"): _SELF,
    ("POST", "/v1/mentions/{comment_id}/seen"): _SELF,
    ("GET", "/v1/colleagues"): _SELF,
    ("POST", "/v1/decisions:bulk"): _DECIDE,
    ("GET", "/v1/decision-reasons"): _READ,
    ("GET", "/v1/approval-matrix"): _READ,
    ("POST", "/v1/approval-matrix/proposals"): _GOVERN,
    ("POST", "/v1/approval-matrix/proposals/{proposal_id}/approve"): _GOVERN,
    ("POST", "/v1/approval-matrix/proposals/{proposal_id}/end"): _GOVERN,
    ("POST", "/v1/delegations"): _people(PLANNER, APPROVER),
    ("GET", "/v1/items"): _READ,
    ("GET", "/v1/items/{sku}/{location}"): _READ,
    ("GET", "/v1/items/{sku}/{location}/as-of"): _READ,
    ("GET", "/v1/items/{sku}/{location}/movements"): _READ,
    ("POST", "/v1/whatif"): Rule(EVERYONE, "read"),
    ("GET", "/v1/forecasts"): _READ,
    ("GET", "/v1/forecasts/{sku}/{location}"): _READ,
    ("GET", "/v1/positions"): _READ,
    ("GET", "/v1/orders"): _READ,
    ("GET", "/v1/orders.csv"): _READ,
    ("GET", "/v1/orders/{order_id}/document"): _READ,
    ("POST", "/v1/orders:reconcile"): _READ,
    ("GET", "/v1/orders/{order_id}"): _READ,
    ("POST", "/v1/orders/{order_id}/cancel"): _DECIDE,
    ("GET", "/v1/suppliers"): _READ,
    ("GET", "/v1/classes"): _READ,
    ("GET", "/v1/classes/{sku}/{location}"): _READ,
    ("GET", "/v1/usage"): _READ,
    ("GET", "/v1/decision-values"): _READ,
    ("GET", "/v1/exceptions"): _READ,
    ("GET", "/v1/policy"): _READ,
    ("GET", "/v1/policy/proposals"): _READ,
    ("POST", "/v1/policy/preview"): _READ,
    ("GET", "/v1/policy/weights"): _READ,
    ("POST", "/v1/policy/proposals"): _GOVERN,
    ("POST", "/v1/policy/proposals/{proposal_id}/approve"): _GOVERN,
    ("POST", "/v1/policy/proposals/{proposal_id}/end"): _GOVERN,
    ("GET", "/v1/scenarios"): _READ,
    ("GET", "/v1/scenarios/{signal_id}/lines"): _READ,
    ("POST", "/v1/scenarios/{signal_id}/without"): _READ,
    ("GET", "/v1/status"): _READ,
    ("GET", "/v1/stream"): _READ,
    ("GET", "/v1/training"): _READ,
    ("POST", "/v1/training"): _PLAN,
    ("GET", "/v1/training/promotions"): _READ,
    ("POST", "/v1/training/models/{model_id}/decision"): _people(APPROVER, ADMIN),
    ("GET", "/v1/accuracy"): _READ,
    ("GET", "/v1/accuracy/days"): _READ,
    ("GET", "/v1/accuracy/drift"): _READ,
    ("GET", "/v1/overrides"): _READ,
    ("GET", "/v1/override-reasons"): _READ,
    ("POST", "/v1/closings"): _DECIDE,
    ("POST", "/v1/overrides"): _DECIDE,
    ("GET", "/v1/overrides/{override_id}"): _READ,
    ("POST", "/v1/overrides/{override_id}/withdrawal"): _DECIDE,
    ("GET", "/v1/strategies"): _READ,
    ("GET", "/v1/strategy-pins"): _READ,
    ("POST", "/v1/strategy-pins"): _DECIDE,
    ("POST", "/v1/strategy-pins/{pin_id}/withdrawal"): _DECIDE,
    ("GET", "/v1/backtests"): _READ,
    ("POST", "/v1/backtests"): _PLAN,
    ("GET", "/v1/backtests/{backtest_id}"): _READ,
    ("POST", "/v1/backtests/{backtest_id}/cancel"): _PLAN,
    ("GET", "/v1/planning-runs"): _READ,
    ("POST", "/v1/planning-runs"): _PLAN,
    ("GET", "/v1/audit/checkpoint"): _AUDIT,
    ("GET", "/v1/audit/entries"): _AUDIT,
    ("GET", "/v1/audit/entries/{seq}"): _AUDIT,
    ("GET", "/v1/audit/proof/inclusion"): _AUDIT,
    ("GET", "/v1/audit/proof/consistency"): _AUDIT,
    ("POST", "/v1/audit/verification"): _AUDIT,
    ("GET", "/v1/audit/verification"): _AUDIT,
    ("GET", "/v1/audit/export"): _AUDIT,
    ("GET", "/v1/api-keys"): _ADMIN,
    ("POST", "/v1/api-keys"): _ADMIN,
    ("DELETE", "/v1/api-keys/{key_id}"): _ADMIN,
    ("GET", "/v1/webhooks"): _ADMIN,
    ("POST", "/v1/webhooks"): _ADMIN,
    ("DELETE", "/v1/webhooks/{webhook_id}"): _ADMIN,
    ("POST", "/v1/webhooks/{webhook_id}/secret"): _ADMIN,
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"): _ADMIN,
    ("POST", "/v1/webhooks/{webhook_id}/deliveries/{notice_id}/again"): _ADMIN,
    ("GET", "/v1/accounts"): _ADMIN,
    ("POST", "/v1/accounts"): _ADMIN,
    ("PUT", "/v1/accounts/{username}"): _ADMIN,
    ("POST", "/v1/accounts/{username}/password"): _ADMIN,
    ("GET", "/v1/preferences"): _SELF,
    ("PUT", "/v1/preferences"): _SELF,
}

# What the pages may offer, by what a person may do; the routes above decide, this only keeps dead buttons away.
ABILITIES: Final[Mapping[str, frozenset[str]]] = {
    "decide": frozenset({PLANNER, APPROVER}),
    "decide_high": frozenset({APPROVER}),
    "plan": frozenset({PLANNER, APPROVER, ADMIN}),
    "change_policy": frozenset({APPROVER, ADMIN}),
    "audit": frozenset({AUDITOR, ADMIN}),
    "administer": frozenset({ADMIN}),
    "mend": frozenset({PLANNER, APPROVER, ADMIN}),
}


def abilities(roles: Iterable[str]) -> list[str]:
    """Names of what these roles can do, for the pages."""
    held = frozenset(roles)
    return [name for name, needed in ABILITIES.items() if held & needed]


def seen_as(held: Iterable[str], seat: str | None) -> frozenset[str]:
    """What is left of a person's roles while they sit in one of their seats. Nobody gains by it: a role that was taken away
    meanwhile leaves reading."""
    roles = frozenset(held)
    if seat is None:
        return roles
    return frozenset({seat}) & roles or frozenset({VIEWER})


def rule_for(method: str, path: str) -> Rule | None:
    """The rule of a route template, or None: then nobody gets in. HEAD is read as GET."""
    return ROUTES.get(("GET" if method == "HEAD" else method, path))
