"""A small true story: items defined, forecast, recommended, decided, ordered. As events, and as an exported log."""

import base64
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.base import Message
from schemas.catalogue import ItemDefined
from schemas.decisions import DecisionMade, OrderLine, OrderReleased, Verdict
from schemas.demand import SaleRecorded
from schemas.recommendations import Projection, RecommendationIssued
from schemas.topics import TOPIC_OF
from services.audit.domain.appending import Candidate, Payload, append
from services.audit.domain.checkpoints import Checkpoint, origin_of
from services.audit.domain.entries import commitment, instant_text
from services.audit.domain.evidence import PERSONAL, Source, event_draft
from services.audit.domain.merkle import CompactRange
from services.audit.domain.notes import LOG_SIGNATURE, signer, write_note
from services.audit.exporting import written

WHEN = datetime(2017, 11, 5, 18, tzinfo=UTC)
DAY = date(2017, 11, 5)
TENANT = "acme"
SEED = hashlib.sha256(b"TEST ONLY story key").digest()
SIGNER = signer(origin_of("test", TENANT), LOG_SIGNATURE, SEED)
LIMITS = {"rule_value_limit": "50", "second_signature_above": "5000", "policy_version": "1"}


@dataclass(frozen=True, slots=True)
class Event:
    """A message with the attributes the log needs."""

    id: str
    body: Message

    @property
    def value(self) -> bytes:
        return self.body.model_dump_json(exclude_none=True).encode()


def sale(number: int, *, tenant: str = TENANT) -> Event:
    body = SaleRecorded(
        tenant=tenant, sku=f"s{number % 50}", location="L1", quantity=Decimal(1), business_date=DAY, sold_at=WHEN
    )
    return Event(f"sale-{number}", body)


def item(sku: str, *, tenant: str = TENANT, name: str = "Milk") -> Event:
    return Event(f"item-{sku}", ItemDefined(tenant=tenant, sku=sku, name=name, defined_at=WHEN))


def recommendation(name: str, *, quantity: str = "12", value: str = "120", tenant: str = TENANT) -> Event:
    body = RecommendationIssued(
        tenant=tenant,
        sku=f"s-{name}",
        location="L1",
        recommendation_id=f"rec-{name}",
        line_id=f"line-{name}",
        action="buy",
        origin=DAY,
        quantity=Decimal(quantity),
        unit="each",
        supplier="SUP-1",
        unit_cost=Decimal(10),
        value=Decimal(value),
        currency="USD",
        order_on=DAY,
        arrive_on=DAY + timedelta(days=3),
        on_hand=Decimal(3),
        on_order=Decimal(0),
        reserved=Decimal(0),
        inventory_position=Decimal(3),
        stockout_probability=Decimal("0.4"),
        reorder_point=Decimal(10),
        order_up_to=Decimal(20),
        money_at_risk=Decimal(9),
        confidence=Decimal("0.8"),
        approved_by_rule=False,
        excess_from_rounding=Decimal(0),
        excess_cost=Decimal(0),
        steps=(),
        explanation="Below the reorder point.",
        projection=Projection(origin=DAY, without_order=(), with_order=()),
        policy_version=1,
        forecast_id=f"fc-{name}",
        code_version="test",
        evidence={"on_hand": "3"},
        evidence_sha256=hashlib.sha256(name.encode()).hexdigest(),
    )
    return Event(str(uuid.uuid5(uuid.NAMESPACE_URL, f"rec-{name}")), body)


def decision(
    name: str,
    version: int = 1,
    verdict: Verdict = "approved",
    *,
    by: str = "planner-1",
    quantity: str = "12",
    value: str = "120",
    tenant: str = TENANT,
) -> Event:
    body = DecisionMade(
        tenant=tenant,
        decision_id=f"dec-{name}-{version}",
        recommendation_id=f"rec-{name}",
        line_id=f"line-{name}",
        version=version,
        verdict=verdict,
        sku=f"s-{name}",
        location="L1",
        quantity_before=Decimal(12),
        quantity=Decimal(quantity),
        value=Decimal(value),
        currency="USD",
        decided_by=by,
        role="planner",
        decided_at=WHEN,
        note="Holiday week ahead",
        limits=LIMITS,
    )
    return Event(str(uuid.uuid5(uuid.NAMESPACE_URL, f"dec-{name}-{version}")), body)


def order(
    name: str, decided: str, *, quantity: str = "12", recommended: str | None = None, tenant: str = TENANT
) -> Event:
    line = OrderLine(
        line_no=1,
        recommendation_id=recommended or f"rec-{name}",
        decision_id=decided,
        sku=f"s-{name}",
        quantity=Decimal(quantity),
        unit="each",
        unit_cost=Decimal(10),
        value=Decimal(120),
    )
    body = OrderReleased(
        tenant=tenant,
        order_id=f"order-{name}",
        kind="purchase_order",
        supplier="SUP-1",
        location="L1",
        order_on=DAY,
        arrive_on=DAY,
        currency="USD",
        value=Decimal(120),
        released_at=WHEN,
        lines=(line,),
    )
    return Event(str(uuid.uuid5(uuid.NAMESPACE_URL, f"order-{name}")), body)


def whole_story(count: int = 3) -> list[Event]:
    """Each item defined, recommended, approved, ordered."""
    events = list[Event]()
    for number in range(count):
        name = str(number)
        events += [item(f"s-{name}"), recommendation(name), decision(name), order(name, f"dec-{name}-1")]
    return events


def candidate(event: Event, offset: int = 0) -> Candidate:
    """The event as the log takes it; salts are fixed here, so that a story gives the same bytes each time."""
    topic = TOPIC_OF[event.body.TYPE].name
    source = Source(
        event.id, "test", event.body.TYPE, WHEN, event.body.record_key(), None, None, None, topic, 0, offset
    )
    salt = hashlib.sha256(event.id.encode()).digest() if event.body.TYPE in PERSONAL else None
    digest = commitment(event.value, salt or b"")
    draft = event_draft(source, json.loads(event.value), digest)
    return Candidate(uuid.uuid5(uuid.NAMESPACE_URL, event.id), draft, Payload(digest, salt, event.value))


def _unused(_: Candidate) -> tuple[UUID, str]:
    raise AssertionError("a story holds no conflicts")


def exported(events: Sequence[Event], *, sign_every: int = 2, settled: int | None = None) -> list[dict[str, Any]]:
    """The records of an export of a log of these events, a checkpoint after every `sign_every` entries and the last."""
    size = len(events)
    records: list[dict[str, Any]] = [
        {
            "record": "log",
            "format": "countersign-audit-export/1",
            "tenant": TENANT,
            "origin": SIGNER.name,
            "size": size,
            "settled_size": size if settled is None else settled,
            "vkeys": [SIGNER.verifier().vkey()],
            "witness_vkeys": [],
        }
    ]
    head = CompactRange()
    for number, event in enumerate(events):
        done = append(TENANT, head, [candidate(event, number)], {}, matches=lambda *_: True, conflict_id=_unused)
        head, (placed,) = done.head, done.entries
        assert placed.payload is not None
        records.append({"record": "entry", "seq": placed.seq, "entry": placed.raw.decode()})
        salt = placed.payload.salt
        records.append(
            {
                "record": "payload",
                "sha256": placed.payload.sha256,
                "salted": salt is not None,
                "salt": None if salt is None else base64.b64encode(salt).decode(),
                "value": base64.b64encode(placed.payload.value).decode(),
            }
        )
        if head.size % sign_every == 0 or head.size == size:
            text = Checkpoint(SIGNER.name, head.size, head.root()).text()
            note = write_note(text, [SIGNER.signature_line(text)])
            records.append({"record": "checkpoint", "size": head.size, "note": note, "cosignatures": []})
            records[-1]["signed_at"] = instant_text(WHEN + timedelta(seconds=head.size))
    return [*records, {"record": "end", "size": size, "sha256": digest_of(records)}]


def digest_of(records: Sequence[dict[str, Any]]) -> str:
    """SHA-256 of these records as an export writes them."""
    return hashlib.sha256(written(list(records))).hexdigest()
