"""The optional language model, against a local server: both kinds of address, and the explanation standing whenever it fails."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.policy.domain.evidence import Evidence
from services.policy.domain.outcome import Recommendation
from services.policy.domain.rationale import TEXT_MAX, fault_in, words_of
from services.policy.rationale import model_of, rationale_of
from services.policy.settings import Settings
from tests.unit.policy.examples import PLAIN, evidences
from tests.unit.policy.test_cascade import only, recommended

DOCUMENT = recommended(PLAIN).document
QUANTITY = DOCUMENT["quantity"]
TRUE = f"Order {QUANTITY} now, so that stock lasts until {DOCUMENT['arrive_on']}."


class Local:
    """A server on this machine that answers as a model would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"")
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        local = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                local.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
                status, text = local.answer
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """What it is asked is looked at by the tests."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def local() -> Iterator[Local]:
    made = Local()
    yield made
    made.server.shutdown()
    made.server.server_close()


def said(local: Local, kind: str = "openai") -> dict[str, Any]:
    settings = Settings(rationale_kind=kind, rationale_url=local.url, rationale_model="m-1", rationale_key="secret")
    model = model_of(settings)
    assert model is not None
    return asyncio.run(rationale_of(DOCUMENT, model))


def openai(text: Any) -> tuple[int, bytes]:
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def gemini(text: Any) -> tuple[int, bytes]:
    return 200, json.dumps({"candidates": [{"content": {"parts": [{"text": text}]}}]}).encode()


def test_nothing_is_asked_unless_it_is_configured() -> None:
    assert model_of(Settings()) is None
    with pytest.raises(ValidationError, match="needs an address and a name"):
        Settings(rationale_kind="openai")


def test_an_openai_compatible_address_is_asked_with_the_words_and_the_key(local: Local) -> None:
    local.answer = openai(TRUE)
    told = said(local)
    assert (told["rationale"], told["source"], told["refused"]) == (TRUE, "language_model", None)
    ((path, headers, body),) = local.asked
    assert (path, headers["authorization"], body["model"]) == ("/v1/chat/completions", "Bearer secret", "m-1")
    assert body["messages"][-1]["content"] == words_of(DOCUMENT)


def test_gemini_is_asked_in_its_own_way(local: Local) -> None:
    local.answer = gemini(TRUE)
    told = said(local, "gemini")
    assert (told["rationale"], told["source"]) == (TRUE, "language_model")
    ((path, headers, body),) = local.asked
    assert (path, headers["x-goog-api-key"]) == ("/v1/models/m-1:generateContent", "secret")
    assert body["contents"][0]["parts"][0]["text"] == words_of(DOCUMENT)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (openai("Order 999999 units."), "it holds 999999, which the evidence does not"),
        (openai("Order it by 2031-01-01."), "it holds 2031-01-01"),
        (openai("Order twice as much."), "it tells numbers without digits (twice)"),
        (openai("Order ½ of it."), "it tells numbers without digits (½)"),
        (openai("  "), "it is empty"),
        (openai("a" * (TEXT_MAX + 1)), "characters, at most"),
        (openai(None), "holds no text"),
        ((200, b'{"choices": []}'), "holds no text"),
        ((200, b"<html>"), "is no JSON"),
        ((429, b"{}"), "answered 429"),
        ((500, b"boom"), "answered 500"),
    ],
)
def test_when_the_model_fails_or_invents_a_number_the_explanation_stands(
    local: Local, answer: tuple[int, bytes], why: str
) -> None:
    local.answer = answer
    told = said(local)
    assert (told["rationale"], told["source"]) == (DOCUMENT["explanation"], "evidence")
    assert why in told["refused"]
    assert "secret" not in json.dumps(told)


def test_a_model_that_is_away_leaves_the_explanation(local: Local) -> None:
    local.server.shutdown()
    local.server.server_close()
    told = said(local)
    assert (told["rationale"], told["source"]) == (DOCUMENT["explanation"], "evidence")
    assert "did not answer" in told["refused"]


@given(evidences())
def test_every_explanation_passes_its_own_check(evidence: Evidence) -> None:
    outcome = only(evidence)
    if isinstance(outcome, Recommendation):
        assert fault_in(outcome.document["explanation"][:TEXT_MAX], words_of(outcome.document)) is None


@given(st.integers(0, 10**6).map(str) | st.decimals(0, 1000, places=2).map(str))
def test_no_number_passes_that_the_words_do_not_hold(number: str) -> None:
    words = words_of(DOCUMENT)
    if number not in words and number.rstrip("0").rstrip(".") not in words:
        assert fault_in(f"Order {number} of it.", words) is not None
