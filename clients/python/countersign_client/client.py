"""The gateway's API as methods. Answers are the API's JSON; its fields are described by `GET /v1/openapi.json`."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import httpx2

from countersign_client.errors import ApiProblem
from countersign_client.events import BatchReport, Event, EventResult, LinesReport
from countersign_client.transport import Retry, Transport

Json = dict[str, Any]
# The gateway takes at most this many events and bytes in one request; both leave room below its limits.
BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 900_000
# One request of a stream: long enough that its beginning and end cost nothing, short enough to be kept for sending again.
LINES_EVENTS_MAX = 20_000
# How often a stream may break off in a row without one event being settled.
STREAM_ATTEMPTS = 12


class _LinesAnswer:
    """Follows the answer to a stream: how many of its events are settled, and why it ended if it ended early."""

    def __init__(self, first: int, report: LinesReport) -> None:
        self._first, self._report = first, report
        self._rejected: list[EventResult] = []
        self.settled = 0
        self.problem: ApiProblem | None = None

    def told(self, line: Json) -> bool:
        """Take in one line; False when it was the last. Rejections count once the group they belong to is durable."""
        if "through" in line:
            self.settled = int(line["through"]) + 1
            self._report.accepted += int(line["accepted"])
            self._report.duplicate += int(line["duplicates"])
            self._report.rejected += self._rejected
            self._rejected = []
        elif line.get("result") == "rejected":
            self._rejected.append(
                EventResult(
                    index=self._first + int(line["index"]),
                    id=str(line.get("id") or ""),
                    result="rejected",
                    field=str(line.get("field") or ""),
                    reason=str(line.get("reason") or ""),
                )
            )
        elif "problem" in line:
            self.problem = ApiProblem(int(line["problem"].get("status") or 500), line["problem"])
        return "problem" not in line and "done" not in line


class Client:
    """One caller of one gateway: a machine with an API key, or a person after `sign_in`. Not for use by several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        retry: Retry | None = None,
        timeout_seconds: float = 30.0,
        http: httpx2.BaseTransport | None = None,
    ) -> None:
        # The gateway refuses a browser's cross-site writes by Origin; a program that says where it writes to passes.
        headers = {"origin": base_url.rstrip("/"), "user-agent": "countersign-client"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._transport = Transport(
            base_url.rstrip("/"), headers, retry or Retry(), timeout_seconds=timeout_seconds, http=http
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def get(self, path: str, **query: Any) -> Json:
        """GET any path of the API; None values are left out of the query."""
        wanted = {name: value for name, value in query.items() if value is not None}
        return cast(Json, self._transport.request("GET", path, params=wanted).json())

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Json:
        """POST JSON to any path of the API."""
        return cast(Json, self._transport.request("POST", path, json=dict(body), headers=dict(headers or {})).json())

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """Every item of a list, over all its pages."""
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    # Who we are

    def sign_in(self, username: str, password: str, tenant: str | None = None) -> Json:
        """Sign in as a person; the session stays with this client. Raises ApiProblem bad_credentials, too_many_attempts."""
        body = {"username": username, "password": password} | ({"tenant": tenant} if tenant else {})
        return self.post("/v1/session", body)

    # Events

    def send(self, events: Iterable[Event]) -> BatchReport:
        """Send events in order, in batches; each gets its own result. A batch that got no answer is sent again as it is.

        A rejected event does not hold up the others. Raises Unreachable, and ApiProblem when a whole batch is refused
        (no permission, for example).
        """
        report = BatchReport()
        batch: list[bytes] = []
        ids: list[str] = []
        size = 0
        for event in events:
            text = json.dumps(event.structured(), separators=(",", ":")).encode()
            if batch and (len(batch) >= BATCH_EVENTS_MAX or size + len(text) > BATCH_BYTES_MAX):
                self._send(batch, ids, report)
                batch, ids, size = [], [], 0
            batch.append(text)
            ids.append(event.id)
            size += len(text) + 1
        if batch:
            self._send(batch, ids, report)
        return report

    def _send(self, batch: Sequence[bytes], ids: Sequence[str], report: BatchReport) -> None:
        answer = self._transport.request(
            "POST",
            "/v1/events",
            content=b"[" + b",".join(batch) + b"]",
            headers={"content-type": "application/cloudevents-batch+json"},
        ).json()
        first = len(report.results)
        for place, told in enumerate(answer["results"]):
            report.results.append(
                EventResult(
                    index=first + place,
                    id=str(told.get("id") or ids[place]),
                    result=str(told["result"]),
                    field=str(told.get("field") or ""),
                    reason=str(told.get("reason") or ""),
                )
            )

    def stream(self, events: Iterable[Event]) -> LinesReport:
        """Send any number of events in order as lines, which the gateway takes while they come; for feeds without end
        and for backlogs. What broke off is sent again from the first event whose fate is not known.

        Raises Unreachable, and ApiProblem when the gateway refuses the whole.
        """
        report = LinesReport()
        lines: list[bytes] = []
        first = 0
        for event in events:
            lines.append(json.dumps(event.structured(), separators=(",", ":")).encode() + b"\n")
            if len(lines) == LINES_EVENTS_MAX:
                self._stream(lines, first, report)
                first += len(lines)
                lines = []
        self._stream(lines, first, report)
        return report

    def _stream(self, lines: Sequence[bytes], first: int, report: LinesReport) -> None:
        """Send these lines, of which the first has index `first` in the whole stream, until all are settled."""
        settled, fruitless = 0, 0
        while settled < len(lines):
            answer = _LinesAnswer(first + settled, report)
            self._transport.lines("/v1/events", b"".join(lines[settled:]), answer.told)
            fruitless = 0 if answer.settled else fruitless + 1
            settled += answer.settled
            if settled < len(lines):
                problem = answer.problem
                if problem is not None and (problem.status < 429 or fruitless == STREAM_ATTEMPTS):
                    raise problem
                self._transport.pause(fruitless)

    # Planning and deciding

    def recommendations(self, **filters: Any) -> Iterator[Json]:
        """The queue, ranked by money at risk unless `sort` says otherwise; `status` defaults to pending."""
        return self.pages("/v1/recommendations", **filters)

    def recommendation(self, recommendation_id: str) -> Json:
        """One line with its steps, evidence and decisions."""
        return self.get(f"/v1/recommendations/{recommendation_id}")

    def decide(
        self, recommendation_id: str, version: int, verdict: str, *, idempotency_key: str | None = None, **more: Any
    ) -> Json:
        """Approve, amend (quantity, reason), reject (reason) or snooze (snooze_until) the version of a line you have seen.

        Raises ApiProblem: 412 when it has changed since, 409 when it is decided, 403 when the role does not allow it.
        """
        headers = {"If-Match": f'"{version}"', "Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self.post(f"/v1/recommendations/{recommendation_id}/decisions", {"verdict": verdict, **more}, headers)

    def plan(self, **body: Any) -> Json:
        """Start a planning run; optional location, business_date."""
        return self.post("/v1/planning-runs", body)

    def planning_runs(self) -> list[Json]:
        """The latest planning runs, newest first."""
        return cast(list[Json], self.get("/v1/planning-runs")["items"])

    def train(self) -> Json:
        """Train the forecasting model on everything known."""
        return self.post("/v1/training", {})

    def orders(self, **filters: Any) -> Iterator[Json]:
        """Released orders and what became of them."""
        return self.pages("/v1/orders", **filters)

    def exceptions(self, **filters: Any) -> Iterator[Json]:
        """What a person has to look at."""
        return self.pages("/v1/exceptions", **filters)

    def status(self) -> Json:
        """Business date, counts, services, freshness."""
        return self.get("/v1/status")

    # Proof

    def checkpoint(self) -> Json:
        """The newest signed tree head of the audit log."""
        return self.get("/v1/audit/checkpoint")

    def inclusion_proof(self, seq: int, size: int) -> Json:
        """That entry `seq` is in the tree of `size` entries."""
        return self.get("/v1/audit/proof/inclusion", seq=seq, size=size)

    def consistency_proof(self, old: int, new: int) -> Json:
        """That the tree of `new` entries continues the tree of `old` entries."""
        return self.get("/v1/audit/proof/consistency", old=old, new=new)

    def audit_export(self, file: Path) -> int:
        """Write everything the offline verifier needs to `file`, piece by piece; returns its bytes."""
        return self._transport.download("/v1/audit/export", file)
