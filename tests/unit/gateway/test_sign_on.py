"""An ID token is believed only when every check of OpenID Connect Core §3.1.3.7 passes."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from pydantic import ValidationError

from services.gateway.domain.sign_on import (
    Attempt,
    Untrusted,
    arrival,
    authorization_url,
    basic,
    believed,
    described,
    is_protected,
    read,
    written,
)
from services.gateway.settings import GatewaySettings

ISSUER, CLIENT, NONCE, NOW = "https://id.example", "countersign", "n-1", 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
KEYS = KeySet([KEY])
CLAIMS = {"iss": ISSUER, "aud": CLIENT, "sub": "u1", "exp": NOW + 60, "iat": NOW, "nonce": NONCE}
DESCRIPTION = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


def token(changes: dict[str, Any] | None = None, *, without: str = "", key: Any = KEY, alg: str = "RS256") -> str:
    claims = {name: value for name, value in (CLAIMS | (changes or {})).items() if name != without}
    return jwt.encode({"alg": alg, "kid": "one"}, claims, key, algorithms=[alg])


def check(text: str, keys: KeySet = KEYS) -> dict[str, Any]:
    return believed(text, keys, issuer=ISSUER, client_id=CLIENT, nonce=NONCE, now=NOW)


def test_token_that_passes_every_check_tells_its_claims() -> None:
    assert check(token({"groups": ["buyers"]}))["groups"] == ["buyers"]
    assert check(token({"aud": [CLIENT, "other"], "azp": CLIENT}))["sub"] == "u1"
    assert check(token({"exp": NOW - 30}))["sub"] == "u1"  # clocks may differ by a minute


def signed_by_another() -> str:
    return token(key=RSAKey.generate_key(2048, {"kid": "one"}, private=True))


def signed_with_the_public_key_as_a_secret() -> str:
    signed = b'{"alg":"HS256","kid":"one"}'
    text = f"{urlsafe_b64encode(signed).decode().rstrip('=')}.{token().split('.')[1]}"
    mark = hmac.digest(KEY.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{urlsafe_b64encode(mark).decode().rstrip('=')}"


def unsigned() -> str:
    _, body, _ = token().split(".")
    return f"eyJhbGciOiJub25lIn0.{body}."


@pytest.mark.parametrize("forged", [signed_by_another, signed_with_the_public_key_as_a_secret, unsigned])
def test_token_that_the_provider_did_not_sign_is_not_believed(forged: Callable[[], str]) -> None:
    with pytest.raises(Untrusted, match="the ID token"):
        check(forged())


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat", "nonce"])
def test_token_without_a_claim_that_a_check_needs_is_not_believed(name: str) -> None:
    with pytest.raises(Untrusted, match=name):
        check(token(without=name))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"nonce": "n-2"},
        {"exp": NOW - 61},
        {"exp": "soon"},
        {"iat": NOW + 3600},
        {"sub": ""},
        {"sub": 7},
    ],
    ids=str,
)
def test_token_of_another_place_time_or_attempt_is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(Untrusted):
        check(token(changes))


@given(st.text(max_size=80))
def test_what_is_no_token_is_untrusted_and_never_another_error(text: str) -> None:
    with pytest.raises(Untrusted):
        check(text)


def test_key_of_another_kind_is_taken_too() -> None:
    key = ECKey.generate_key("P-256", {"kid": "one"}, private=True)
    assert check(token(key=key, alg="ES256"), KeySet([key]))["sub"] == "u1"


def test_description_of_another_issuer_or_in_clear_text_is_not_believed() -> None:
    assert described(DESCRIPTION, ISSUER).takes_basic
    assert not described(
        DESCRIPTION | {"token_endpoint_auth_methods_supported": ["client_secret_post"]}, ISSUER
    ).takes_basic
    with pytest.raises(Untrusted, match="names the issuer"):
        described(DESCRIPTION, "https://other.example")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        with pytest.raises(Untrusted, match=name):
            described(DESCRIPTION | {name: "http://id.example/x"}, ISSUER)
        with pytest.raises(Untrusted, match=name):
            described({key: value for key, value in DESCRIPTION.items() if key != name}, ISSUER)
    assert is_protected("http://127.0.0.1:9/x")
    assert not is_protected("http://127.0.0.1.evil.example/x")


def test_address_carries_the_digest_of_the_verifier_and_never_the_verifier() -> None:
    attempt = Attempt("state", "nonce", "verifier", "/queue")
    asked = authorization_url(
        described(DESCRIPTION, ISSUER),
        attempt,
        client_id=CLIENT,
        redirect_uri="https://us.example/back",
        scopes="openid",
    )
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
    assert urlsafe_b64decode(query["code_challenge"] + "=") == hashlib.sha256(b"verifier").digest()
    assert query["code_challenge_method"] == "S256"
    assert (query["state"], query["nonce"]) == ("state", "nonce")
    assert "verifier" not in asked


def test_secret_with_marks_is_form_encoded_before_it_becomes_a_header() -> None:
    assert basic("a:b", "c d") == "Basic YSUzQWI6Yytk"  # a%3Ab:c+d, RFC 6749 §2.3.1


@given(st.text(max_size=60))
def test_cookie_that_we_did_not_write_is_nothing(text: str) -> None:
    assert read(text) is None
    attempt = Attempt("s", "n", "v", "/" + text)
    assert read(written(attempt)) == attempt


def test_groups_give_the_roles_that_the_setting_names_and_no_other() -> None:
    roles = {"buyers": "planner", "heads": "approver", "more-heads": "approver"}
    came = arrival(
        CLAIMS
        | {"preferred_username": "Ada.L ", "name": "Ada\nL", "groups": ["buyers", "heads", "more-heads", "cooks", 3]},
        roles_claim="groups",
        roles=roles,
    )
    assert (came.username, came.name, came.roles) == ("ada.l", "AdaL", ("approver", "planner"))
    assert arrival(CLAIMS | {"groups": "buyers"}, roles_claim="groups", roles=roles).roles == ("planner",)
    assert arrival(CLAIMS | {"groups": {"buyers": 1}}, roles_claim="groups", roles=roles).roles == ()
    assert (
        arrival(CLAIMS | {"preferred_username": "", "email": "a@b.c"}, roles_claim="groups", roles={}).username
        == "a@b.c"
    )
    assert arrival(CLAIMS, roles_claim="groups", roles={}).username == "u1"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"sign_on_issuer": "http://id.example", "sign_on_client_id": "c", "sign_on_roles": {"g": "planner"}}, "https"),
        ({"sign_on_issuer": ISSUER, "sign_on_roles": {"g": "planner"}}, "sign_on_client_id"),
        ({"sign_on_issuer": ISSUER, "sign_on_client_id": "c"}, "sign_on_roles"),
        (
            {
                "sign_on_issuer": ISSUER,
                "sign_on_client_id": "c",
                "sign_on_roles": {"g": "planner"},
                "sign_on_scopes": "email",
            },
            "openid",
        ),
        ({"sign_on_roles": {"g": "king"}}, "planner"),
    ],
)
def test_half_a_configuration_is_refused_at_the_start(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        GatewaySettings(**settings)
