"""Internal tokens: one issuer, one audience, one algorithm, a minute long."""

import base64
import json
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from kit.http import Problem
from kit.identity import Mint, Principal, Verifier, ensure_keys, replace_key, retire_key

ANNA = Principal("acme", "anna", frozenset({"planner"}))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return ensure_keys(tmp_path)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {"iss": "countersign-gateway", "aud": "policy", "sub": "anna", "tenant": "acme", "iat": now, "exp": now + 60}
    return {name: value for name, value in (base | changes).items() if value is not None}


def test_a_good_token_gives_back_the_principal(keys: tuple[Path, Path]) -> None:
    assert Verifier(keys[1], "policy").principal(Mint(keys[0]).token(ANNA, "policy")) == ANNA


def test_the_private_key_is_for_its_owner_only_and_is_made_once(keys: tuple[Path, Path], tmp_path: Path) -> None:
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
    before = keys[0].read_bytes()
    assert ensure_keys(tmp_path) == keys
    assert keys[0].read_bytes() == before


def test_a_token_for_another_service_is_refused(keys: tuple[Path, Path]) -> None:
    with pytest.raises(Problem) as refusal:
        Verifier(keys[1], "audit").principal(Mint(keys[0]).token(ANNA, "policy"))
    assert refusal.value.status == 401


def test_key_is_replaced_under_running_services_and_tokens_of_both_count_until_the_old_one_is_retired(
    keys: tuple[Path, Path], tmp_path: Path
) -> None:
    mint, verifier = Mint(keys[0]), Verifier(keys[1], "policy")
    before = mint.token(ANNA, "policy")
    assert replace_key(tmp_path) == keys
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
    after = mint.token(ANNA, "policy")
    assert [verifier.principal(token) for token in (before, after)] == [ANNA, ANNA]
    assert Verifier(keys[1], "policy").principal(after) == ANNA, "a service that starts meanwhile believes it too"
    retire_key(tmp_path)
    assert verifier.principal(after) == ANNA
    assert verifier.principal(mint.token(ANNA, "policy")) == ANNA
    with pytest.raises(Problem) as refusal:
        verifier.principal(before)
    assert refusal.value.status == 401


def test_key_file_that_cannot_be_read_leaves_the_last_good_keys_in_use(keys: tuple[Path, Path], tmp_path: Path) -> None:
    mint, verifier = Mint(keys[0]), Verifier(keys[1], "policy")
    whole = keys[1].read_bytes()
    for broken in (b"", whole[:40], b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        keys[1].write_bytes(broken)
        assert verifier.principal(mint.token(ANNA, "policy")) == ANNA
        with pytest.raises(ValueError, match=r"."):
            Verifier(keys[1], "policy")
    keys[1].unlink()
    assert verifier.principal(mint.token(ANNA, "policy")) == ANNA
    keys[1].write_bytes(whole)
    assert verifier.principal(mint.token(ANNA, "policy")) == ANNA


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"aud": None},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"tenant": None},
    ],
)
def test_a_claim_that_is_wrong_or_missing_is_refused(keys: tuple[Path, Path], changes: dict[str, Any]) -> None:
    key = OKPKey.import_key(keys[0].read_bytes())
    token = jwt.encode({"alg": "Ed25519", "typ": "at+jwt"}, claims(**changes), key, algorithms=["Ed25519"])
    with pytest.raises(Problem) as refusal:
        Verifier(keys[1], "policy").principal(token)
    assert refusal.value.status == 401


class Told:
    """A clock that says what it was told."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


def test_a_token_lives_by_the_clock_that_is_given_and_not_by_the_machines(keys: tuple[Path, Path]) -> None:
    clock = Told(datetime(2031, 1, 1, tzinfo=UTC))
    token = Mint(keys[0], clock).token(ANNA, "policy")
    verifier = Verifier(keys[1], "policy", clock)
    assert verifier.principal(token) == ANNA
    clock.moment += timedelta(minutes=2)
    with pytest.raises(Problem):
        verifier.principal(token)


def test_forged_tokens_are_refused(keys: tuple[Path, Path]) -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    stranger = OKPKey.generate_key("Ed25519")
    rsa = RSAKey.generate_key(2048)
    own = OKPKey.import_key(keys[0].read_bytes())
    forged = [
        part({"alg": "none", "typ": "at+jwt"}) + "." + part(claims()) + ".",
        jwt.encode({"alg": "Ed25519", "typ": "at+jwt"}, claims(), stranger, algorithms=["Ed25519"]),
        jwt.encode({"alg": "RS256", "typ": "at+jwt"}, claims(), rsa, algorithms=["RS256"]),
        jwt.encode({"alg": "Ed25519", "typ": "JWT"}, claims(), own, algorithms=["Ed25519"]),
        "rubbish",
        "a.b.c",
    ]
    for token in forged:
        with pytest.raises(Problem) as refusal:
            Verifier(keys[1], "policy").principal(token)
        assert refusal.value.status == 401
