"""What can go wrong, as the caller should see it: a refusal with its problem document, or nobody answering."""

from typing import Any


class ApiProblem(Exception):
    """The gateway refused (RFC 9457). `code` is stable; `detail` is a sentence for a person; `errors` name fields."""

    def __init__(self, status: int, document: dict[str, Any], retry_after: str | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        self.code = str(document.get("code") or f"http_{status}")
        self.title = str(document.get("title") or "")
        self.detail = str(document.get("detail") or "")
        self.errors: list[dict[str, Any]] = list(document.get("errors") or [])
        self.request_id = str(document.get("instance") or "")
        self.document = document
        said = " ".join(part for part in (self.title, self.detail) if part) or "no reason given"
        fields = "; ".join(f"{error.get('field')}: {error.get('reason')}" for error in self.errors[:3])
        super().__init__(f"{status} {self.code}: {said}" + (f" ({fields})" if fields else ""))


class Unreachable(Exception):
    """Nobody answered within the retries; whether the last request took effect is not known, so send it again as it is."""

    def __init__(self, url: str, attempts: int, why: str) -> None:
        super().__init__(f"{url} did not answer in {attempts} attempts, last: {why}. Is it running? (./run status)")
        self.attempts = attempts
