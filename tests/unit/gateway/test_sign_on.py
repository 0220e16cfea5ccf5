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
    LOGOUT_EVENT,
    Attempt,
    Untrusted,
    arrival,
    authorization_url,
    basic,
    believed,
    described,
    farewell,
    is_protected,
    read,
    written,
)
from services.gateway.sealing import Seal
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


GOOD_BYE = {
    "iss": ISSUER,
    "aud": CLIENT,
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "j",
    "events": {LOGOUT_EVENT: {}},
    "sub": "u1",
}


def logout_token(changes: dict[str, Any], typ: str | None = "logout+jwt", key: Any = KEY) -> str:
    header = {"alg": "RS256", "kid": "one"} | ({"typ": typ} if typ else {})
    claims = {name: value for name, value in (GOOD_BYE | changes).items() if value is not None}
    return jwt.encode(header, claims, key, algorithms=["RS256"])


def said(text: str) -> tuple[str | None, str | None]:
    gone = farewell(text, KEYS, issuer=ISSUER, client_id=CLIENT, now=NOW)
    return gone.subject, gone.sid


def test_good_bye_names_a_person_or_one_of_their_sessions() -> None:
    assert said(logout_token({})) == ("u1", None)
    assert said(logout_token({"sub": None, "sid": "s1"}, typ=None)) == (None, "s1")
    assert said(logout_token({"sid": "s1"}, typ="JWT")) == ("u1", "s1")


@pytest.mark.parametrize(
    ("changes", "typ"),
    [
        ({"sub": None}, "logout+jwt"),
        ({"events": None}, "logout+jwt"),
        ({"events": {"another": {}}}, "logout+jwt"),
        ({"events": {LOGOUT_EVENT: "yes"}}, "logout+jwt"),
        ({"nonce": NONCE}, "logout+jwt"),
        ({"aud": "another"}, "logout+jwt"),
        ({"iss": "https://evil.example"}, "logout+jwt"),
        ({"jti": None}, "logout+jwt"),
        ({"iat": NOW - 3600, "exp": NOW + 120}, "logout+jwt"),
        ({"exp": NOW - 120}, "logout+jwt"),
        ({"sid": 7}, "logout+jwt"),
        ({}, "at+jwt"),
    ],
)
def test_good_bye_that_fails_a_check_ends_nothing(changes: dict[str, Any], typ: str) -> None:
    with pytest.raises(Untrusted):
        said(logout_token(changes, typ))


def test_good_bye_under_another_key_and_an_id_token_are_none() -> None:
    with pytest.raises(Untrusted):
        said(logout_token({}, key=RSAKey.generate_key(2048, {"kid": "one"}, private=True)))
    with pytest.raises(Untrusted):
        said(token())
    with pytest.raises(Untrusted):
        check(logout_token({"nonce": NONCE}, "JWT", key=RSAKey.generate_key(2048, {"kid": "one"}, private=True)))


def test_name_of_a_person_can_be_part_of_a_record_key() -> None:
    came = arrival({**CLAIMS, "preferred_username": "ACME/Ada"}, roles_claim="groups", roles={})
    assert came.username == "acme_ada"


def test_sealed_secret_opens_only_with_the_key_and_for_what_it_was_sealed() -> None:
    seal = Seal(lambda: [b"k" * 48], "sign-on")
    sealed = seal.sealed("refresh me", b"session 1")
    assert seal.opened(sealed, b"session 1") == "refresh me"
    assert b"refresh" not in sealed
    assert sealed != seal.sealed("refresh me", b"session 1")
    for other, text, bound in (
        (seal, sealed, b"session 2"),
        (Seal(lambda: [b"j" * 48], "sign-on"), sealed, b"session 1"),
        (Seal(lambda: [b"k" * 48], "else"), sealed, b"session 1"),
        (seal, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"session 1"),
        (seal, b"", b"session 1"),
    ):
        assert other.opened(text, bound) is None


def test_what_was_sealed_before_the_key_was_replaced_opens_until_the_old_key_is_retired() -> None:
    keys = [b"j" * 48]
    seal = Seal(lambda: keys, "sign-on")
    old = seal.sealed("refresh me", b"session 1")
    keys.insert(0, b"k" * 48)
    new = seal.sealed("refresh me", b"session 1")
    assert [seal.opened(one, b"session 1") for one in (old, new)] == ["refresh me", "refresh me"]
    keys.pop()
    assert [seal.opened(one, b"session 1") for one in (old, new)] == [None, "refresh me"]
