"""What suppliers answer to orders, as the documents they send: X12 855 and UBL OrderResponse become `order.updated.v1`."""

from typing import Any

from fastapi import APIRouter, Request

from kernel.ids import derived_id
from kit.database import Transaction
from kit.http import Problem
from services.gateway.api import models
from services.gateway.api.events import read_body
from services.gateway.api.order_papers import papers_of
from services.gateway.api.shared import Parts, Who
from services.gateway.domain.order_papers import ubl, ubl_answers, x12, x12_answers
from services.gateway.domain.order_papers.answers import OrderAnswer, update
from services.gateway.domain.order_papers.paper import UNECE, X12_UNITS, Paper, PaperRefused, order_id_start
from services.gateway.ingest import batch
from services.gateway.ingest.check import Refused, check
from services.gateway.store import order_codes, views

router = APIRouter(prefix="/v1", tags=["orders"])
SOURCE = "order-answers"
X12_EXAMPLE = (
    "ISA*00*          *00*          *ZZ*SUP-17         *ZZ*acme           *171107*0930*^*00501*000000042*0*P*>~\n"
    "GS*PR*SUP-17*acme*20171107*0930*42*X*005010~\nST*855*0001~\nBAK*00*AC*PO-0b0e7f7c1c1e5a0a9c*20171106~\n"
    "PO1*1*312*EA*2.69**IN*1029743~\nACK*IQ*300*EA*067*20171110~\nCTT*1~\nSE*6*0001~\nGE*1*42~\nIEA*1*000000042~\n"
)
UBL_EXAMPLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<OrderResponse xmlns="{ubl.NAMESPACE}:OrderResponse-2"
 xmlns:cac="{ubl.NAMESPACE}:CommonAggregateComponents-2" xmlns:cbc="{ubl.NAMESPACE}:CommonBasicComponents-2">
 <cbc:ID>OR-9</cbc:ID><cbc:IssueDate>2017-11-07</cbc:IssueDate><cbc:OrderResponseCode>AP</cbc:OrderResponseCode>
 <cac:OrderReference><cbc:ID>PO-0b0e7f7c-1c1e-5a0a-9c3d-aabbccddeeff</cbc:ID></cac:OrderReference>
 <cac:SellerSupplierParty><cac:Party><cac:PartyIdentification><cbc:ID>SUP-17</cbc:ID></cac:PartyIdentification></cac:Party></cac:SellerSupplierParty>
 <cac:BuyerCustomerParty/>
</OrderResponse>
"""
BODY = {
    "requestBody": {
        "required": True,
        "description": "An X12 interchange of 855 purchase order acknowledgments, or one UBL 2.x OrderResponse.",
        "content": {
            x12.MEDIA_TYPE: {"schema": {"type": "string"}, "example": X12_EXAMPLE},
            ubl.MEDIA_TYPE: {"schema": {"type": "string"}, "example": UBL_EXAMPLE},
        },
    }
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "What became of each answer; what was accepted is durable."},
    413: {"description": "More bytes than one request may bring; nothing was taken."},
    422: {"description": "The document cannot be read, or does not fit the order it names; nothing was taken."},
    429: {"description": "Kafka is behind; nothing was taken. Wait for Retry-After and send it again."},
    503: {"description": "Kafka did not acknowledge; send the same again, an equal document counts once."},
}


@router.post("/order-answers", summary="Take in what suppliers answer", responses=DOCUMENTED, openapi_extra=BODY)
async def take_answers(request: Request, who: Who, parts: Parts) -> models.OrderAnswersView:
    """All answers of the document or none. Each is held against the released order it names, by the order's id or its X12
    number; its lines are found by the codes they were ordered by. The same document sent again counts once."""
    body = await read_body(request, parts.settings.ingest_body_bytes_max)
    try:
        answers, units = _read(body)
        async with parts.reading(who) as tx:
            events = [await _event(tx, who.tenant, answer, units) for answer in answers]
    except PaperRefused as refused:
        raise _refused(refused.field, refused.reason) from refused
    for event in events:
        try:
            check(event, who.tenant)
        except Refused as refused:
            raise _refused(refused.field, refused.reason) from refused
    outcome = await batch.take([*events], who.tenant, parts.publisher, parts.recent)
    results = [
        models.OrderAnswerResult(
            order_id=event["data"]["order_id"],
            status=event["data"]["status"],
            lines=len(event["data"]["lines"]),
            result=result.result,
            field=result.field,
            reason=result.reason,
        )
        for event, result in zip(events, outcome.results, strict=True)
    ]
    return models.OrderAnswersView(
        accepted=outcome.accepted, duplicates=outcome.duplicates, rejected=outcome.rejected, answers=results
    )


def _read(body: bytes) -> tuple[list[OrderAnswer], dict[str, str]]:
    """The answers, and how their format writes units. What the bytes begin with tells the format better than their label."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:3]
    if start == b"ISA":
        return x12_answers.read(body), X12_UNITS
    if start[:1] == b"<":
        return ubl_answers.read(body), UNECE
    raise PaperRefused("", "the body is neither an X12 interchange (ISA) nor an XML document")


async def _event(tx: Transaction, tenant: str, answer: OrderAnswer, units: dict[str, str]) -> dict[str, Any]:
    paper = await _order(tx, tenant, answer)
    data = update(answer, paper, units)
    for line in data["lines"]:
        other = line.get("substitute_sku")
        if other is not None and paper.supplier is not None:
            # One that nobody knows stays as it is said: policy tells a person of it, by that name.
            line["substitute_sku"] = await order_codes.item_of(tx, tenant, paper.supplier, other) or other
    said_at = answer.said_at.isoformat()
    return {
        "id": derived_id("order-answer", tenant, answer.document, paper.order_id),
        "source": SOURCE,
        "type": "order.updated.v1",
        "time": said_at,
        "data": data,
    }


async def _order(tx: Transaction, tenant: str, answer: OrderAnswer) -> Paper:
    """The order that is answered. Raises PaperRefused when there is not exactly one."""
    row = await views.order(tx, tenant, answer.number)
    start = order_id_start(answer.number)
    if row is None and start is not None:
        ids = await order_codes.starting_with(tx, tenant, start)
        row = await views.order(tx, tenant, ids[0]) if len(ids) == 1 else None
    if row is None:
        reason = f"{answer.number[:64]!r} is no order that was released here; name the one that was sent"
        raise PaperRefused(f"{answer.place}.order".lstrip("."), reason)
    (paper,) = await papers_of(tx, tenant, [row])
    return paper


def _refused(place: str, reason: str) -> Problem:
    errors = [{"field": place, "reason": reason}]
    where = f"At {place}: " if place else ""
    return Problem(
        422, "order_answer_refused", "The answer is not taken", f"{where}{reason}. Nothing was taken.", errors=errors
    )
