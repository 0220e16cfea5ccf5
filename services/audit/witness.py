"""A witness: a process with its own key and memory that cosigns heads of logs which only ever grew (C2SP tlog-witness).

It shares no database, broker or key with the platform; better still, it runs on another machine, in other hands.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from kit import http, telemetry
from services.audit import keys
from services.audit.domain.checkpoints import Checkpoint
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.notes import COSIGNATURE, Signer, Verifier, parse_vkey, signer
from services.audit.domain.witnessing import Verdict, judge_extension, judge_signature, parse_submission
from services.audit.settings import WitnessSettings

log = telemetry.get_logger()
ANSWERED = telemetry.counter("witness_submissions_total", "Heads submitted, by status answered", ("status",))
BODY_BYTES_MAX = 65_536
SIZE_TYPE = "text/x.tlog.size"


class Memory:
    """The newest head seen of each log, in a file. Checking and remembering is one step: two requests cannot cross."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        # Full: a head is on the disk before the cosignature leaves, or the witness could forget what it signed.
        self._file.execute("pragma synchronous = full")
        self._file.execute(
            "create table if not exists seen (origin text primary key, size integer not null, root blob not null, note text not null)"
        )

    def seen(self, origin: str) -> Checkpoint | None:
        row = self._file.execute("select size, root from seen where origin = ?", (origin,)).fetchone()
        return None if row is None else Checkpoint(origin, row[0], row[1])

    def advance(self, new: Checkpoint, note: str, judge: Callable[[Checkpoint | None], Verdict]) -> Verdict:
        """Judge `new` against what was seen last, and remember it if it is accepted; durable when this returns."""
        with self._lock:
            self._file.execute("begin immediate")
            try:
                verdict = judge(self.seen(new.origin))
                if verdict.status == 200:
                    self._file.execute(
                        "insert into seen values (?, ?, ?, ?) on conflict (origin) do update set size = excluded.size, root = excluded.root, note = excluded.note",
                        (new.origin, new.size, new.root, note),
                    )
                self._file.execute("commit")
            except BaseException:
                self._file.execute("rollback")
                raise
        return verdict

    def close(self) -> None:
        self._file.close()


def create_app(memory: Memory, key: Signer, trusted: list[Verifier], now: Callable[[], float] = time.time) -> FastAPI:
    """The witness's one route, and its public key for those who configure it."""
    app = http.create_app("witness", title="Countersign witness")

    def submit(body: bytes) -> Response:
        try:
            submission = parse_submission(body.decode())
        except (AuditRefusal, UnicodeDecodeError) as error:
            return _answer(Verdict(400, str(error)))
        verdict = judge_signature(submission, trusted)
        if verdict.status == 200:
            verdict = memory.advance(
                submission.checkpoint, submission.note, lambda seen: judge_extension(submission, seen)
            )
        if verdict.status != 200:
            log.warning(
                "head_not_cosigned", status=verdict.status, reason=verdict.reason, origin=submission.checkpoint.origin
            )
            return _answer(verdict)
        ANSWERED.labels(200).inc()
        return PlainTextResponse(key.cosignature_line(submission.text, int(now())))

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        """Cosign a head that extends the last one seen."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return _answer(Verdict(400, f"a submission has at most {BODY_BYTES_MAX} bytes"))
        return await run_in_threadpool(submit, body)

    @app.get("/vkey")
    async def vkey() -> Response:
        """The public key of this witness."""
        return PlainTextResponse(key.verifier().vkey() + "\n")

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return PlainTextResponse("ok\n")

    return app


def _answer(verdict: Verdict) -> Response:
    ANSWERED.labels(verdict.status).inc()
    if verdict.status == 409:
        return Response(f"{verdict.seen_size}\n", 409, media_type=SIZE_TYPE)
    return PlainTextResponse(verdict.reason + "\n", verdict.status)


def main() -> None:
    """Run until SIGTERM."""
    settings = WitnessSettings()
    telemetry.configure("witness", level=settings.log_level, otlp_endpoint=None, namespace=settings.namespace)
    key = signer(settings.witness_name, COSIGNATURE, keys.ensure_seed(settings.key_file))
    trusted = [parse_vkey(text) for text in settings.witness_log_vkeys.replace(",", " ").split()]
    memory = Memory(settings.store_file)
    log.info(
        "witness_started", vkey=key.verifier().vkey(), logs=[one.name for one in trusted], http_port=settings.http_port
    )
    try:
        uvicorn.run(
            create_app(memory, key, trusted),
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
    finally:
        memory.close()


if __name__ == "__main__":
    main()
