"""A real OpenID provider that can also say good-bye: it signs logout tokens with its own key and posts them to its clients.

Run as a process: `identity_provider.py PORT`. `POST /users/<sub>/sign-out` {to, client_id, …claims} answers the client's status.
"""

import sys
import time
import uuid
from typing import Any

import flask
import httpx2
import werkzeug.serving
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_provider_mock import app as provider  # type: ignore[import-untyped]
from oidc_provider_mock._app import storage  # type: ignore[import-untyped]

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def _sign_out(sub: str) -> Any:
    asked = dict(flask.request.get_json())
    to, client_id = asked.pop("to"), asked.pop("client_id")
    now = int(time.time())
    claims = {
        "iss": flask.request.host_url.rstrip("/"),
        "aud": client_id,
        "iat": now,
        "exp": now + 120,
        "jti": uuid.uuid4().hex,
        "events": {LOGOUT_EVENT: {}},
        "sub": sub,
        **asked,
    }
    key = RSAKey.import_key(storage.jwk.as_dict(is_private=True))
    token = jwt.encode({"alg": "RS256", "typ": "logout+jwt"}, claims, key)
    return {"status": httpx2.post(to, data={"logout_token": token}).status_code}


def main(port: int) -> None:
    """Serve until killed."""
    made = provider()
    made.add_url_rule("/users/<sub>/sign-out", view_func=_sign_out, methods=["POST"])
    werkzeug.serving.run_simple("127.0.0.1", port, made, threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
