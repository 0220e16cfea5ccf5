"""GS1 identifiers as EPCIS writes them, EPC URN or Digital Link, as the plain codes our master data knows.

Sources: GS1 EPC Tag Data Standard 2.0, section 6 (URNs of SGTIN, LGTIN, SGLN); GS1 Digital Link URI syntax 1.2.
"""

from urllib.parse import unquote, urlsplit

from kernel import gtin

# Company prefix and reference together, without the check digit.
GTIN_PAYLOAD, GLN_PAYLOAD = 13, 12
_ITEM_SCHEMES = ("urn:epc:id:sgtin:", "urn:epc:class:lgtin:", "urn:epc:idpat:sgtin:")
_PLACE_SCHEME = "urn:epc:id:sgln:"
_CONTAINER_SCHEMES = ("urn:epc:id:sscc:", "urn:epc:id:grai:", "urn:epc:id:giai:", "urn:epc:class:grai:")


class EpcisRefused(ValueError):
    """This event is not taken: `field` names the place in it, `reason` says what is wrong and what would be right."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.field = place
        self.reason = reason


def gtin_of(identifier: str, place: str) -> str:
    """The 14-digit GTIN of an item's identifier, whatever its serial number or lot. Raises EpcisRefused."""
    scheme = next((one for one in _ITEM_SCHEMES if identifier.startswith(one)), None)
    if scheme is not None:
        prefix, reference, *_ = [*identifier.removeprefix(scheme).split("."), "", ""]
        # The reference begins with the indicator digit, which comes first in a GTIN.
        payload = reference[:1] + prefix + reference[1:]
        if len(payload) != GTIN_PAYLOAD or not _is_digits(payload):
            raise EpcisRefused(
                place, f"{identifier!r} is no SGTIN or LGTIN: prefix and reference have 13 digits together"
            )
        return payload + str(gtin.check_digit(payload))
    if identifier.startswith(_CONTAINER_SCHEMES) or "00" in _link(identifier):
        raise EpcisRefused(
            place, "names a container and says nothing of its contents; send the GTINs in it as quantities"
        )
    code = _link(identifier).get("01")
    if code is None:
        raise EpcisRefused(
            place, f"{identifier!r} is neither an SGTIN or LGTIN URN nor a Digital Link with a GTIN (/01/)"
        )
    fault = gtin.fault(code)
    if fault is not None:
        raise EpcisRefused(place, fault)
    return code.zfill(gtin.CANONICAL_LENGTH)


def gln_of(identifier: str, place: str) -> str:
    """The 13-digit GLN of a location's identifier, without its extension. Raises EpcisRefused."""
    if identifier.startswith(_PLACE_SCHEME):
        prefix, reference, *_ = [*identifier.removeprefix(_PLACE_SCHEME).split("."), "", ""]
        payload = prefix + reference
        if len(payload) != GLN_PAYLOAD or not _is_digits(payload):
            raise EpcisRefused(place, f"{identifier!r} is no SGLN: prefix and reference have 12 digits together")
        return payload + str(gtin.check_digit(payload))
    code = _link(identifier).get("414", "")
    if len(code) != GLN_PAYLOAD + 1 or not _is_digits(code):
        raise EpcisRefused(place, f"{identifier!r} is neither an SGLN URN nor a Digital Link with a GLN (/414/)")
    if gtin.check_digit(code[:-1]) != int(code[-1]):
        raise EpcisRefused(place, f"the check digit of {code} is wrong")
    return code


def _link(identifier: str) -> dict[str, str]:
    """Application identifiers of a Digital Link, in whatever order they stand; empty for anything else."""
    try:
        parts = urlsplit(identifier)
    except ValueError:
        return {}
    if parts.scheme not in ("http", "https"):
        return {}
    steps = [unquote(step) for step in parts.path.split("/") if step]
    starts = [number for number, step in enumerate(steps) if step in ("00", "01", "414", "21", "10", "22")]
    start = starts[0] if starts else len(steps)
    return dict(zip(steps[start::2], steps[start + 1 :: 2], strict=False))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
