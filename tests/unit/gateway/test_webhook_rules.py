"""Webhooks by the letter of Standard Webhooks 1.0, and the addresses nobody may be made to call."""

import base64
import ipaddress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain import webhooks

# The specification's own example (standard-webhooks, libraries' shared test case).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')


def test_signature_equals_the_published_example() -> None:
    assert webhooks.signature(SECRET, *EXAMPLE) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_during_a_change_over() -> None:
    other = webhooks.new_secret()
    sent = webhooks.headers([SECRET, other], *EXAMPLE)
    assert sent["webhook-signature"].split(" ") == [webhooks.signature(one, *EXAMPLE) for one in (SECRET, other)]


def test_secret_is_at_least_24_random_bytes_and_another_each_time() -> None:
    assert len(base64.b64decode(webhooks.new_secret().removeprefix("whsec_"))) >= 24
    assert webhooks.new_secret() != webhooks.new_secret()


@given(st.binary(max_size=200), st.integers(0, 2**33))
def test_any_changed_part_changes_the_signature(body: bytes, timestamp: int) -> None:
    signed = webhooks.signature(SECRET, "msg_1", timestamp, body)
    assert signed != webhooks.signature(SECRET, "msg_1", timestamp + 1, body)
    assert signed != webhooks.signature(SECRET, "msg_2", timestamp, body)
    assert signed != webhooks.signature(SECRET, "msg_1", timestamp, body + b" ")


def test_ten_attempts_in_about_three_days_then_it_is_over() -> None:
    waits = [webhooks.next_attempt(number) for number in range(1, 11)]
    assert waits[0] == timedelta(seconds=5)
    assert waits[9] is None
    given = [wait for wait in waits if wait is not None]
    assert given == sorted(given)
    assert timedelta(days=3) < sum(given, timedelta()) < timedelta(days=4)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "64:ff9b:1::1",
    ],
)  # fmt: skip
def test_address_that_is_not_public_is_never_called(address: str) -> None:
    assert not webhooks.may_be_called(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_public_address_is_called(address: str) -> None:
    assert webhooks.may_be_called(ipaddress.ip_address(address))


def test_network_the_operator_names_is_allowed_and_no_other() -> None:
    allowed = [ipaddress.ip_network("10.2.0.0/16")]
    assert webhooks.may_be_called(ipaddress.ip_address("10.2.3.4"), allowed)
    assert not webhooks.may_be_called(ipaddress.ip_address("10.3.3.4"), allowed)
    assert not webhooks.may_be_called(ipaddress.ip_address("::1"), allowed)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://example.com/", "http"),
        ("https://", "host"),
        ("https://user:pass@example.com/", "password"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com:99999/", "not a web address"),
        ("https://exa mple.com/", "printable"),
        ("https://[::1", "not a web address"),
        ("javascript:alert(1)", "http"),
    ],
)
def test_what_is_not_the_address_of_a_webhook_is_refused_with_its_reason(url: str, word: str) -> None:
    assert word in (webhooks.problem_of_url(url) or "")


def test_ordinary_address_is_fine() -> None:
    assert webhooks.problem_of_url("https://flows.example.com:8443/hook?key=1") is None
