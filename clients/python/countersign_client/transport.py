"""One request with patience: answers of the moment (429, 502, 503, 504, no connection) are tried again, others are not."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from countersign_client.errors import ApiProblem, Unreachable

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
            return min(60.0, float(retry_after))
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
        why = ""
        for attempt in range(self._retry.attempts):
            retry_after: str | None = None
            try:
                answer = self._http.request(method, path, **options)
            except httpx2.TransportError as error:
                why = f"{type(error).__name__}: {error}"
            else:
                if answer.is_success:
                    return answer
                problem = ApiProblem(answer.status_code, _document(answer))
                if answer.status_code not in TRY_AGAIN:
                    raise problem
                if attempt == self._retry.attempts - 1:
                    raise problem
                retry_after = answer.headers.get("retry-after")
                why = str(problem)
            if attempt < self._retry.attempts - 1:
                self._sleep(self._retry.wait_seconds(attempt, retry_after))
        raise Unreachable(f"{self.base_url}{path}", self._retry.attempts, why)

    def download(self, path: str, file: Path) -> int:
        """Write an answer to a file without holding it in memory; returns its bytes. A broken download starts again."""
        why = ""
        for attempt in range(self._retry.attempts):
            try:
                with self._http.stream("GET", path) as answer, file.open("wb") as target:
                    if not answer.is_success:
                        answer.read()
                        problem = ApiProblem(answer.status_code, _document(answer))
                        if answer.status_code not in TRY_AGAIN:
                            raise problem
                        why = str(problem)
                    else:
                        return sum(target.write(piece) for piece in answer.iter_bytes())
            except httpx2.TransportError as error:
                why = f"{type(error).__name__}: {error}"
            self._sleep(self._retry.wait_seconds(attempt, None))
        raise Unreachable(f"{self.base_url}{path}", self._retry.attempts, why)


def _document(answer: httpx2.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"title": answer.reason_phrase, "detail": answer.text[:500]}
