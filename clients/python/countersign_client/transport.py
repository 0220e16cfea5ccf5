"""One request with patience: answers of the moment (429, 502, 503, 504, no connection) are tried again, others are not."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from countersign_client.errors import ApiProblem, Unreachable

T = TypeVar("T")
LINES = {"content-type": "application/x-ndjson"}
TRY_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to be patient. Full-jitter backoff (the n-th wait is up to first x 2^n), or what Retry-After says.

    The default is patient for about half a minute, which is what a restart of a busy gateway takes.
    """

    attempts: int = 12
    first_seconds: float = 0.1
    seconds_max: float = 10.0

    def wait_seconds(self, attempt: int, retry_after: str | None) -> float:
        """The wait after failed attempt number `attempt` (from 0). A Retry-After in seconds is obeyed up to a minute."""
        if retry_after is not None and retry_after.strip().isdigit():
            # A little later than told, each caller by another little: those who were refused together do not come together.
            return min(60.0, float(retry_after)) + random.uniform(0, self.first_seconds)
        return random.uniform(0, min(self.seconds_max, self.first_seconds * 2**attempt))


class Transport:
    """Requests to one gateway. Every request may be sent more than once: callers make that harmless by ids and keys."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        retry: Retry,
        *,
        timeout_seconds: float = 30.0,
        http: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx2.Client(base_url=base_url, headers=dict(headers), timeout=timeout_seconds, transport=http)
        self._retry = retry
        self._sleep = sleep
        self.base_url = base_url

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer (2xx). Raises ApiProblem for a refusal, Unreachable when patience ends."""
        return self._patiently(path, lambda: _judged(self._http.request(method, path, **options)))

    def download(self, path: str, file: Path) -> int:
        """Write an answer to a file without holding it in memory; returns its bytes. A broken download starts again."""

        def attempt() -> int:
            with self._http.stream("GET", path) as answer, file.open("wb") as target:
                _judged(answer)
                return sum(target.write(piece) for piece in answer.iter_bytes())

        return self._patiently(path, attempt)

    def lines(self, path: str, body: bytes, told: Callable[[dict[str, Any]], bool]) -> None:
        """POST lines and hand every line of the answer to `told`, until it returns False or the answer ends.

        Tried again while no line of the answer has come; once one has, a broken answer just ends: `told` knows how far
        it came. Raises ApiProblem, Unreachable.
        """

        def attempt() -> None:
            has_begun = False
            try:
                with self._http.stream("POST", path, content=body, headers=LINES) as answer:
                    _judged(answer)
                    for line in answer.iter_lines():
                        has_begun = True
                        if not told(json.loads(line)):
                            return
            except (httpx2.TransportError, json.JSONDecodeError):  # a cut-off line is a broken answer, too
                if not has_begun:
                    raise

        self._patiently(path, attempt)

    def pause(self, attempt: int, retry_after: str | None = None) -> None:
        """Wait as after failed attempt number `attempt`."""
        self._sleep(self._retry.wait_seconds(attempt, retry_after))

    def _patiently(self, path: str, attempt: Callable[[], T]) -> T:
        """What an attempt gives. Raises ApiProblem for a refusal, Unreachable when patience ends."""
        why = ""
        for number in range(self._retry.attempts):
            retry_after: str | None = None
            try:
                return attempt()
            except (httpx2.TransportError, json.JSONDecodeError) as error:
                why = f"{type(error).__name__}: {error}"
            except ApiProblem as problem:
                if problem.status not in TRY_AGAIN or number == self._retry.attempts - 1:
                    raise
                why, retry_after = str(problem), problem.retry_after
            if number < self._retry.attempts - 1:
                self.pause(number, retry_after)
        raise Unreachable(f"{self.base_url}{path}", self._retry.attempts, why)


def _judged(answer: httpx2.Response) -> httpx2.Response:
    """The answer, if it is a success. Raises ApiProblem."""
    if answer.is_success:
        return answer
    answer.read()
    raise ApiProblem(answer.status_code, _document(answer), answer.headers.get("retry-after"))


def _document(answer: httpx2.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"title": answer.reason_phrase, "detail": answer.text[:500]}
