"""Which routes stand open to who reads only part of the tenant. Closed by default: a route that is not here is answered to
nobody whose reading is limited, so a new one shows them nothing until somebody has seen to it that it may be here."""

from typing import Final

# Their own session, words and seat, or what concerns nobody's lines: configuration, codes, forecast models.
_NO_ROWS: Final = (
    ("DELETE", "/v1/session"),
    ("GET", "/v1/session"),
    ("PUT", "/v1/session/password"),
    ("PUT", "/v1/session/seat"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/asyncapi.json"),
    ("POST", "/v1/events"),
    ("POST", "/v1/epcis/capture"),
    ("GET", "/v1/colleagues"),
    ("GET", "/v1/decision-reasons"),
    ("GET", "/v1/approval-matrix"),
    ("POST", "/v1/delegations"),
    ("GET", "/v1/policy"),
    ("GET", "/v1/training"),
    ("GET", "/v1/override-reasons"),
    ("GET", "/v1/strategies"),
    ("GET", "/v1/preferences"),
    ("PUT", "/v1/preferences"),
)
# Answered from the read models, of which Postgres shows them their part.
_PART_OF_ROWS: Final = (
    ("GET", "/v1/recommendations"),
    ("GET", "/v1/recommendations.csv"),
    ("GET", "/v1/recommendations/summary"),
    ("GET", "/v1/items"),
    ("GET", "/v1/positions"),
    ("GET", "/v1/forecasts"),
    ("GET", "/v1/orders"),
    ("GET", "/v1/orders.csv"),
    ("GET", "/v1/exceptions"),
    ("GET", "/v1/suppliers"),
    ("GET", "/v1/usage"),
    ("GET", "/v1/decision-values"),
    ("GET", "/v1/mentions"),
    ("POST", "/v1/mentions/{comment_id}/seen"),
    ("GET", "/v1/status"),
    ("GET", "/v1/stream"),
)
# About one thing, which has to be among theirs; the approvals service looks at each line of a bulk decision itself.
_ONE_THING: Final = (
    ("GET", "/v1/recommendations/{recommendation_id}"),
    ("GET", "/v1/recommendations/{recommendation_id}/rationale"),
    ("POST", "/v1/recommendations/{recommendation_id}/decisions"),
    ("POST", "/v1/recommendations/{recommendation_id}/comments"),
    ("POST", "/v1/recommendations/{recommendation_id}/undo"),
    ("POST", "/v1/decisions:bulk"),
    ("GET", "/v1/items/{sku}/{location}"),
    ("GET", "/v1/items/{sku}/{location}/as-of"),
    ("GET", "/v1/items/{sku}/{location}/movements"),
    ("POST", "/v1/whatif"),
    ("GET", "/v1/forecasts/{sku}/{location}"),
    ("GET", "/v1/classes/{sku}/{location}"),
    ("POST", "/v1/order-answers"),
    ("GET", "/v1/orders/{order_id}"),
    ("GET", "/v1/orders/{order_id}/document"),
    ("POST", "/v1/orders/{order_id}/cancel"),
)
COVERED: Final = frozenset((*_NO_ROWS, *_PART_OF_ROWS, *_ONE_THING))


def is_open(method: str, path: str) -> bool:
    """Whether a route template answers people and keys whose reading is limited. HEAD is read as GET."""
    return ("GET" if method == "HEAD" else method, path) in COVERED
