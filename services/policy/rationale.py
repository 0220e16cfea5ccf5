"""The optional language model: says a recommendation's explanation in other words, and never changes it. Off by default.

One interface, two ways to reach a model: an OpenAI-compatible address (which local servers speak too) and Gemini's.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx2

from services.policy.domain.rationale import fault_in, words_of
from services.policy.settings import Settings

ASKED = (
    "You rewrite the reasons of an inventory recommendation for a planner, in at most four plain sentences. Use only what the text"
    " says. Write numbers and dates exactly as they stand there, in digits, and no others. Add no advice."
)


class ModelFailed(RuntimeError):
    """The model gave no text; args[0] says what happened."""


class Model(Protocol):
    """Something that can say a text in other words."""

    async def rephrase(self, words: str) -> str:
        """The text in other words. Raises ModelFailed."""
        ...


class OpenAiModel:
    """A model behind `POST <url>/chat/completions`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def rephrase(self, words: str) -> str:
        body = {
            "model": self._settings.rationale_model,
            "temperature": 0,
            "messages": [{"role": "system", "content": ASKED}, {"role": "user", "content": words}],
        }
        key = _key(self._settings)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = await _asked(self._settings, "/chat/completions", headers, body)
        return _text(answer, "choices", 0, "message", "content")


class GeminiModel:
    """A model behind `POST <url>/models/<model>:generateContent`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def rephrase(self, words: str) -> str:
        body = {
            "systemInstruction": {"parts": [{"text": ASKED}]},
            "contents": [{"role": "user", "parts": [{"text": words}]}],
            "generationConfig": {"temperature": 0},
        }
        path = f"/models/{self._settings.rationale_model}:generateContent"
        answer = await _asked(self._settings, path, {"x-goog-api-key": _key(self._settings)}, body)
        return _text(answer, "candidates", 0, "content", "parts", 0, "text")


def model_of(settings: Settings) -> Model | None:
    """The configured model; None where there is none."""
    if settings.rationale_kind == "off":
        return None
    return OpenAiModel(settings) if settings.rationale_kind == "openai" else GeminiModel(settings)


async def rationale_of(document: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """What a person reads: the model's words where all their numbers are the evidence's, else the explanation itself, with why
    (`refused`)."""
    words = words_of(document)
    try:
        text = (await model.rephrase(words)).strip()
        fault = fault_in(text, words)
    except ModelFailed as failed:
        text, fault = "", str(failed)
    told = {"recommendation_id": document["recommendation_id"], "explanation": document["explanation"]}
    if fault is not None:
        return told | {"rationale": document["explanation"], "source": "evidence", "refused": fault}
    return told | {"rationale": text, "source": "language_model", "refused": None}


def _key(settings: Settings) -> str:
    return settings.rationale_key.get_secret_value() if settings.rationale_key is not None else ""


async def _asked(settings: Settings, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Any:
    try:
        async with httpx2.AsyncClient(timeout=settings.rationale_seconds) as client:
            answer = await client.post(settings.rationale_url.rstrip("/") + path, json=body, headers=dict(headers))
        if answer.status_code != 200:
            raise ModelFailed(f"the language model answered {answer.status_code}")
        return answer.json()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ModelFailed(f"the language model did not answer: {type(error).__name__}") from error
    except ValueError as error:
        raise ModelFailed("the language model's answer is no JSON") from error


def _text(answer: Any, *path: str | int) -> str:
    """What lies at the end of a path of names and places."""
    try:
        for name in path:
            answer = answer[name]
    except (KeyError, IndexError, TypeError):
        raise ModelFailed("the language model's answer holds no text") from None
    if not isinstance(answer, str):
        raise ModelFailed("the language model's answer holds no text")
    return answer
