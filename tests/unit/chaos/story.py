"""A small, true story as evidence, for the checkers to find nothing in; a test spoils one thing and is to be told."""

import base64
import json
import uuid
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.chaos.checks.audit import records_digest
from lab.chaos.evidence import Evidence, Rec, event_hash
from lab.chaos.history import Op

TENANTS = ("acme", "bolt")
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
D = Decimal


def rec(
    topic: str, offset: int, kind: str, identity: str, body: dict[str, Any], *, source: str = "pos", partition: int = 0
) -> Rec:
    """A record in binary mode."""
    headers = (("ce_id", identity), ("ce_source", source), ("ce_type", kind), ("ce_tenant", body["tenant"]))
    packed = tuple((name, text.encode()) for name, text in headers)
    return Rec(topic, partition, offset, f"{body['tenant']}/x".encode(), json.dumps(body).encode(), packed, 0)


def sale(tenant: str, offset: int, identity: str, quantity: int) -> Rec:
    body = {"tenant": tenant, "sku": f"{tenant}-s0", "location": f"{tenant}-l0", "quantity": str(quantity)}
    body |= {"business_date": "2026-02-01", "sold_at": f"2026-02-01T10:00:{offset:02d}Z"}
    return rec("sales.v1", offset, "sale.recorded.v1", identity, body)


def decision(tenant: str, offset: int, version: int, verdict: str, recommendation: str) -> Rec:
    body: dict[str, Any] = {
        "tenant": tenant,
        "decision_id": f"d{version}-{recommendation}",
        "recommendation_id": recommendation,
    }
    body |= {"line_id": f"line-{tenant}", "version": version, "verdict": verdict, "sku": f"{tenant}-s0"}
    return rec("decisions.v1", offset, "decision.made.v1", body["decision_id"], body, source="approvals")


def recommendation(tenant: str, offset: int, identity: str, supersedes: str | None = None) -> Rec:
    body: dict[str, Any] = {"tenant": tenant, "recommendation_id": identity, "sku": f"{tenant}-s0"}
    if supersedes:
        body["supersedes"] = supersedes
    return rec("recommendations.v1", offset, "recommendation.issued.v1", f"e-{identity}", body, source="policy")


def order(tenant: str, offset: int, order_id: str, recommendation_id: str, decision_id: str) -> Rec:
    line = {"recommendation_id": recommendation_id, "decision_id": decision_id}
    body = {"tenant": tenant, "order_id": order_id, "location": f"{tenant}-l0", "lines": [line]}
    return rec("orders.v1", offset, "order.released.v1", f"e-{order_id}", body, source="approvals")


def op(index: int, process: str, kind: str, f: str, value: Any) -> Op:
    return Op(index, index * 1000, process, kind, f, value)  # type: ignore[arg-type]


def true_story() -> Evidence:
    """Two tenants sell three times each, one line each is snoozed, comes back, is approved and ordered; all is logged."""
    found = Evidence(tenants=TENANTS)
    sales, decisions, orders, recommendations = [], [], [], []
    for place, tenant in enumerate(TENANTS):
        sales += [sale(tenant, 3 * place + number, f"{tenant}-{number}", number + 1) for number in range(3)]
        first, second = f"r1-{tenant}", f"r2-{tenant}"
        recommendations += [
            recommendation(tenant, 2 * place, first),
            recommendation(tenant, 2 * place + 1, second, first),
        ]
        steps = (("snoozed", first), ("returned", first), ("superseded", first), ("approved", second))
        decisions += [decision(tenant, 4 * place + n, n + 1, verdict, name) for n, (verdict, name) in enumerate(steps)]
        orders.append(order(tenant, place, f"po-{tenant}", second, f"d4-{second}"))
    close = {"tenant": "acme", "location": "acme-l0", "business_date": "2026-02-01", "partition": 0}
    sales.append(rec("sales.v1", 6, "business-day.closed.v1", "close-0", close))
    found.records = {
        "sales.v1": sales,
        "decisions.v1": decisions,
        "orders.v1": orders,
        "recommendations.v1": recommendations,
    }
    found.tables = dict(tables(found))
    found.history = history()
    found.public_keys = dict.fromkeys([*TENANTS, "~platform"], KEY.public_key().public_bytes_raw())
    return found


def tables(found: Evidence) -> dict[str, list[dict[str, Any]]]:
    """What the services would hold after this story."""
    ledger: list[dict[str, Any]] = []
    positions: list[dict[str, Any]] = []
    demand: list[dict[str, Any]] = []
    for tenant in TENANTS:
        item = {"tenant": tenant, "sku": f"{tenant}-s0", "location": f"{tenant}-l0"}
        for one in found.records["sales.v1"]:
            if one.tenant == tenant and one.header("ce_type") == "sale.recorded.v1":
                effect = {"on_hand": -D(one.body()["quantity"]), "reserved": D(0), "backorders": D(0)}
                ledger.append(item | effect | {"event_hash": uuid.UUID(bytes=one.hash)})
        positions.append(item | {"on_hand": D(-6), "reserved": D(0), "backorders": D(0)})
        demand.append(item | {"business_date": date(2026, 2, 1), "quantity": D(6)})
    stored = [{"tenant": one.tenant, "decision_id": one.body()["decision_id"]} for one in found.records["decisions.v1"]]
    lines = [{"tenant": tenant, "line_id": f"line-{tenant}", "version": 4} for tenant in TENANTS]
    return {
        "policy.ledger": ledger,
        "policy.positions": positions,
        "forecaster.daily_demand": demand,
        "approvals.decisions": stored,
        "approvals.lines": [dict(line) for line in lines],
        "gateway.lines": lines,
        **log_tables(found),
    }


def history() -> list[Op]:
    """The tills were told yes, the planners were told yes, nobody saw another's, the ERP saw both orders."""
    ops: list[Op] = []
    for place, tenant in enumerate(TENANTS):
        told = [["pos", f"{tenant}-{number}"] for number in range(3)]
        for kind in ("invoke", "ok"):
            ops.append(op(len(ops), f"till-{tenant}", kind, "record", told))
        value = {"recommendation_id": f"r2-{tenant}", "version": 3, "verdict": "approve"}
        for kind in ("invoke", "ok"):
            ops.append(op(len(ops), f"planner-{tenant}", kind, "decide", value))
        ops.append(op(len(ops), f"planner-{tenant}", "fail", "peek", {"sku": "?"}))
        ops.append(op(len(ops), f"planner-{tenant}", "ok", "list", [[f"{tenant}-s0", "r"]]))
        ops.append(op(len(ops), "erp", "ok", "see", {"order_id": f"po-{tenant}", "offset": place, "sha256": ""}))
    return ops


def log_tables(found: Evidence) -> dict[str, list[dict[str, Any]]]:
    """A log for each tenant: one entry per event, one batch of the sales, signed at the end."""
    entries: list[dict[str, Any]] = []
    checkpoints: list[dict[str, Any]] = []
    for tenant in TENANTS:
        mine: list[dict[str, Any]] = []
        facts: list[tuple[bytes, dict[str, Any]]] = []
        for topic in ("recommendations.v1", "decisions.v1", "orders.v1"):
            facts += [(one.hash, {"type": "event"}) for one in found.records[topic] if one.tenant == tenant]
        sold = [one for one in found.records["sales.v1"] if one.tenant == tenant]
        batch = {"type": "audit.batch.v1", "topic": "sales.v1", "partition": 0, "first_offset": sold[0].offset}
        batch |= {"last_offset": sold[-1].offset, "count": len(sold), "payload_sha256": records_digest(sold)}
        facts.append((event_hash("audit", f"batch-{tenant}"), batch))
        for seq, (name, fields) in enumerate(facts):
            raw = json.dumps({"tenant": tenant, "seq": seq, **fields}).encode()
            row = {"tenant": tenant, "seq": seq, "event_hash": uuid.UUID(bytes=name), "entry": raw}
            mine.append(row | {"leaf": sha256(b"\x00" + raw).digest()})
        entries += mine
        for size in (3, len(mine)):
            checkpoints.append(
                {"tenant": tenant, "size": size, "note": note(tenant, [row["leaf"] for row in mine[:size]])}
            )
    return {"audit.entries": entries, "audit.checkpoints": checkpoints}


def note(tenant: str, leaves: list[bytes]) -> str:
    """A signed checkpoint over these leaves."""
    origin = f"test/audit/{tenant}"
    text = f"{origin}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
    signed = base64.b64encode(b"\0\0\0\0" + KEY.sign(text.encode())).decode()
    return f"{text}\n\u2014 {origin} {signed}\n"


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there: recursively."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + root(leaves[:half]) + root(leaves[half:])).digest()
