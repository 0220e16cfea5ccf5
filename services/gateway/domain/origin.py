"""Cross-site request forgery: may a request that carries a session cookie change something?

Browsers set `Sec-Fetch-Site` themselves and no page script can forge it (Fetch Metadata); where it is absent, the `Origin`
header, which browsers send with every cross-site POST, must name this very host. A request with neither is no browser's:
then it must at least be one that a foreign page could not send without asking first (CORS preflight), such as JSON.
"""

from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A form or an image can only GET and POST; these methods always need a preflight.
PREFLIGHT_METHODS = frozenset({"PUT", "PATCH", "DELETE"})


def may_change(
    *, method: str, sec_fetch_site: str | None, origin: str | None, host: str | None, content_type: str | None
) -> bool:
    """True when an unsafe `method` comes from our own pages, or from a program that is no browser."""
    if method in SAFE_METHODS:
        return True
    if sec_fetch_site is not None:
        return sec_fetch_site in {"same-origin", "none"}
    if origin is not None:
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()
    is_json = (content_type or "").split(";")[0].strip().lower() == "application/json"
    return method in PREFLIGHT_METHODS or is_json
