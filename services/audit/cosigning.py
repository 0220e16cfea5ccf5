"""Shows new heads to a witness and keeps its cosignatures: what a second party saw, nobody can take back."""

import logging
import re

import httpx2

from kit import telemetry
from kit.database import Database
from services.audit.domain.checkpoints import hash_text
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.notes import open_note, parse_vkey
from services.audit.guard import Guard
from services.audit.store import heads, reading

log = telemetry.get_logger()
COSIGNED = telemetry.counter("audit_cosignatures_total", "Cosignatures received from the witness")
DISPUTED = telemetry.gauge("audit_witness_disputes", "Logs whose head the witness refuses; page a human")
TIMEOUT_SECONDS = 5.0
SIZE_TYPE = "text/x.tlog.size"


class Cosigning:
    """One witness. `run` brings it up to date with every log."""

    def __init__(self, database: Database, url: str, vkey: str, guard: Guard) -> None:
        # One line for each request of each second says nothing: what matters is counted, disputes are logged.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self._database = database
        self._witness = parse_vkey(vkey)
        self._guard = guard
        self._client = httpx2.AsyncClient(base_url=url.rstrip("/"), timeout=TIMEOUT_SECONDS)
        self._seen: dict[str, int] = {}
        self._disputed: set[str] = set()

    async def close(self) -> None:
        await self._client.aclose()

    async def run(self) -> None:
        """Submit every newest head the witness has not cosigned. Raises ConnectionError when it does not answer."""
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                newest = await heads.newest(tx, tenant)
            if newest is None or newest.size == self._seen.get(tenant):
                continue
            try:
                await self._submit(tenant, newest)
                self._disputed.discard(tenant)
            except AuditRefusal as refusal:
                self._disputed.add(tenant)
                log.error("witness_disputes", log_id=tenant, error=str(refusal))
            DISPUTED.set(len(self._disputed))

    async def _submit(self, tenant: str, newest: heads.StoredCheckpoint) -> None:
        answer = await self._post(tenant, self._seen.get(tenant, 0), newest)
        if answer.status_code == 409 and answer.headers.get("content-type", "").startswith(SIZE_TYPE):
            text = answer.text.strip()
            known = int(text) if re.fullmatch(r"\d{1,19}", text) else -1
            if known > newest.size:
                raise AuditRefusal(
                    "database_restored", f"the witness saw {known} entries, this log signs {newest.size}"
                )
            self._seen[tenant] = known
            answer = await self._post(tenant, known, newest)
        if answer.status_code != 200:
            raise AuditRefusal("witness_refused", f"status {answer.status_code}: {answer.text[:200]}")
        opened = open_note(newest.note + answer.text, [self._witness])
        async with self._database.transaction(tenant) as tx:
            await heads.add_cosignature(tx, tenant, newest.size, opened.signed_by[0][0].name, answer.text)
        self._seen[tenant] = newest.size
        COSIGNED.inc()

    async def _post(self, tenant: str, old: int, newest: heads.StoredCheckpoint) -> httpx2.Response:
        proof = list[bytes]()
        if 0 < old < newest.size:
            async with self._database.transaction(tenant) as tx:
                proof = await reading.consistency_proof(tx, tenant, old, newest.size)
        lines = "".join(hash_text(one) + "\n" for one in proof)
        try:
            return await self._client.post("/add-checkpoint", content=f"old {old}\n{lines}\n{newest.note}".encode())
        except httpx2.HTTPError as error:
            raise ConnectionError(f"the witness does not answer: {error}") from error
