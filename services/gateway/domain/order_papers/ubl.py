"""Orders as UBL 2.1: an Order, or an OrderChange for what changes or cancels one. Source: OASIS UBL 2.1, schemas
`UBL-Order-2.1` and `UBL-OrderChange-2.1`, whose sequence of elements is the sequence here."""

import re
from datetime import UTC
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from services.gateway.domain.order_papers.paper import UNECE, Paper, PaperLine, plain, seller_of, unit_code

NAMESPACE: Final = "urn:oasis:names:specification:ubl:schema:xsd"
MEDIA_TYPE: Final = "application/xml"
# The code list of UBL's line status.
LINE_STATUS: Final = {"change": "Revised", "cancel": "Cancelled"}
LINE_NOTE: Final = {"change": "Quantity still to come", "cancel": "Quantity that is not to come any more"}
# What XML 1.0 cannot hold at all; names of things may, codes never do (schemas.base.Code).
_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(paper: Paper) -> bytes:
    """The document. Raises PaperRefused when the order goes to no supplier, or a unit has no code."""
    seller = seller_of(paper)
    is_change = paper.changes_order is not None
    name = "OrderChange" if is_change else "Order"
    root = Element(name, {"xmlns": f"{NAMESPACE}:{name}-2"})
    for part in ("CommonAggregateComponents", "CommonBasicComponents"):
        root.set(f"xmlns:{'cac' if 'Aggregate' in part else 'cbc'}", f"{NAMESPACE}:{part}-2")
    released = paper.released_at.astimezone(UTC)
    _say(root, "UBLVersionID", "2.1")
    _say(root, "ID", paper.order_id)
    _say(root, "IssueDate", released.date().isoformat())
    _say(root, "IssueTime", released.strftime("%H:%M:%SZ"))
    if is_change:
        # Every change is an order of its own, with its own id: none of them is the second version of another.
        _say(root, "SequenceNumberID", "1")
    else:
        _say(root, "OrderTypeCode", "220", listID="UNCL1001")
    _say(root, "DocumentCurrencyCode", paper.currency)
    _say(root, "LineCountNumeric", str(len(paper.lines)))
    if paper.changes_order is not None:
        _say(_part(root, "OrderReference"), "ID", paper.changes_order)
    _party(_part(root, "BuyerCustomerParty"), paper.buyer, None)
    _party(_part(root, "SellerSupplierParty"), seller, paper.supplier_name)
    delivery = _part(root, "Delivery")
    place = _part(delivery, "DeliveryLocation")
    _say(place, "ID", paper.location)
    if paper.location_name:
        _say(place, "Name", paper.location_name)
    _say(_part(delivery, "RequestedDeliveryPeriod"), "EndDate", paper.arrive_on.isoformat())
    total = _part(root, "AnticipatedMonetaryTotal")
    for amount in ("LineExtensionAmount", "PayableAmount"):
        _say(total, amount, plain(paper.value), currencyID=paper.currency)
    for line in paper.lines:
        _line(_part(root, "OrderLine"), line, paper)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, "unicode")}\n'.encode()


def _line(parent: Element, line: PaperLine, paper: Paper) -> None:
    unit = unit_code(line, UNECE)
    if paper.kind in LINE_NOTE:
        _say(parent, "Note", LINE_NOTE[paper.kind])
    item = _part(parent, "LineItem")
    _say(item, "ID", str(line.line_no))
    if paper.kind in LINE_STATUS:
        _say(item, "LineStatusCode", LINE_STATUS[paper.kind])
    _say(item, "Quantity", plain(line.quantity), unitCode=unit)
    _say(item, "LineExtensionAmount", plain(line.value), currencyID=paper.currency)
    _say(_part(item, "Price"), "PriceAmount", plain(line.unit_cost), currencyID=paper.currency)
    goods = _part(item, "Item")
    _say(goods, "Name", line.name)
    _say(_part(goods, "BuyersItemIdentification"), "ID", line.sku)
    if line.supplier_code is not None:
        _say(_part(goods, "SellersItemIdentification"), "ID", line.supplier_code)
    if line.gtin is not None:
        _say(_part(goods, "StandardItemIdentification"), "ID", line.gtin, schemeID="0160")


def _party(parent: Element, code: str, name: str | None) -> None:
    party = _part(parent, "Party")
    _say(_part(party, "PartyIdentification"), "ID", code)
    _say(_part(party, "PartyName"), "Name", name or code)


def _part(parent: Element, name: str) -> Element:
    return SubElement(parent, f"cac:{name}")


def _say(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, f"cbc:{name}", attributes).text = _NOT_XML.sub(" ", text)
