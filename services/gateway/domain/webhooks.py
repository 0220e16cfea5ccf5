"""Webhooks by the Standard Webhooks specification 1.0: signing, when to try again, and which addresses may be called at all."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets as randomness
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

PREFIX = "whsec_"
SECRET_BYTES = 32
URL_CHARACTERS_MAX = 2000
# The specification's own schedule: at once, then ever more patiently for about three days.
RETRY_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
GONE = 410
# Translations of IPv4 into IPv6, through which an inner address could be reached.
_WRAPPED = tuple(ipaddress.ip_network(name) for name in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def new_secret() -> str:
    """A signing secret: 256 random bits, base64 behind `whsec_`."""
    return PREFIX + base64.b64encode(randomness.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of `id.timestamp.body` (HMAC-SHA256) as `webhook-signature` carries it.

    Raises ValueError for a secret that is not base64 behind `whsec_`.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is base64 behind whsec_") from error
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; with one signature for each secret, so that a receiver can change over in its own time."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in secrets),
        "content-type": "application/json",
    }


def next_attempt(attempts: int) -> timedelta | None:
    """How long to wait after this many failed attempts; None when it was the last."""
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None


def may_be_called(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether a webhook may go to this address: a public one, or one in a network the operator allows by name.

    The standard library alone is not enough: it calls multicast, NAT64 and 6to4 addresses global (RELIABILITY.md C.4).
    """
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = inner or address
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if address.version == 6 and any(address in network for network in _WRAPPED):
        return False
    return address.is_global and not (address.is_private or address.is_multicast or address.is_reserved)


def problem_of_url(url: str) -> str | None:
    """Why this is not the address of a webhook; None when it can be one (its host is resolved and judged later, too)."""
    if len(url) > URL_CHARACTERS_MAX or not url.isprintable() or " " in url:
        return f"is not a web address of at most {URL_CHARACTERS_MAX} printable characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a web address"
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return "is not an http or https address with a host"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or password; a webhook is told apart by its signature"
    if parts.fragment:
        return "holds a fragment, which is never sent"
    return None
