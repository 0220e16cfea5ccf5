"""Signs the heads of logs that grew: proves consistency with the last head, stores, then publishes; asks a witness."""

from datetime import datetime

from kernel.ids import derived_id
from kit import failpoints, telemetry
from kit.clock import Clock
from kit.database import Database, Transaction, scope
from kit.events import Outgoing, event_hash, outgoing
from kit.outbox import enqueue
from schemas.decisions import CheckpointSigned
from services.audit.domain.appending import Candidate
from services.audit.domain.batches import WRITER
from services.audit.domain.checkpoints import PLATFORM, Checkpoint, hash_text, open_checkpoint
from services.audit.domain.entries import Draft
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.notes import write_note
from services.audit.domain.proofs import consistency_holds
from services.audit.guard import Guard
from services.audit.keys import LogKeys
from services.audit.store import growing, heads, reading

log = telemetry.get_logger()
SIGNED = telemetry.counter("audit_checkpoints_signed_total", "Checkpoints signed and stored")
REFUSED = telemetry.gauge(
    "audit_signing_refused_logs", "Logs whose head is not signed because something does not fit; page a human"
)
CHECKPOINT_TYPE = "audit.checkpoint.v1"


class Signing:
    """Signs every log of the deployment. `refused` says which logs are not signed, and why."""

    def __init__(self, database: Database, keys: LogKeys, guard: Guard, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._guard = guard
        self._clock = clock
        self.refused: dict[str, str] = {}

    async def sign_all(self) -> list[tuple[str, Checkpoint]]:
        """Sign what grew, the platform's log last because it records the others' heads. One bad log holds up no other."""
        made = list[tuple[str, Checkpoint]]()
        tenants = [tenant for tenant in await self._database.tenants() if tenant != PLATFORM]
        for tenant in (*tenants, PLATFORM):
            try:
                checkpoint = await self._sign(tenant)
            except AuditRefusal as refusal:
                if self.refused.get(tenant) != str(refusal):
                    log.error("signing_refused", log_id=tenant, error=str(refusal))
                self.refused[tenant] = str(refusal)
                continue
            self.refused.pop(tenant, None)
            if checkpoint is not None:
                made.append((tenant, checkpoint))
        REFUSED.set(len(self.refused))
        return made

    async def _sign(self, tenant: str) -> Checkpoint | None:
        """One transaction: the checkpoint row, the outbox row, the platform's entry. Raises AuditRefusal."""
        async with self._database.transaction(tenant) as tx:
            if not await heads.is_due(tx, tenant):
                return None
            head = await heads.locked(tx, tenant)
            if head is None or head.range.size == head.last_signed_size:
                return None  # another instance signed it while this one waited for the lock
            await self._guard.check(tx, tenant, head.range)
            signers = self._keys.signers(tenant)
            checkpoint = Checkpoint(signers[0].name, head.range.size, head.range.root())
            await self._check_extends(tx, tenant, checkpoint, head.last_signed_size)
            now = self._clock.now()
            note = write_note(checkpoint.text(), [one.signature_line(checkpoint.text()) for one in signers])
            await heads.store_checkpoint(tx, tenant, checkpoint.size, note, now)
            failpoints.reach("audit.checkpoint-stored")
            await enqueue(tx, [_published(tenant, checkpoint, note, now)])
            if tenant != PLATFORM:
                await scope(tx, PLATFORM)
                await growing.append_candidates(tx, PLATFORM, [_platform_entry(tenant, checkpoint, note, now)])
        self._guard.signed(tenant, checkpoint)
        SIGNED.inc()
        return checkpoint

    async def _check_extends(self, tx: Transaction, tenant: str, new: Checkpoint, last_signed_size: int) -> None:
        """A log never signs a head that does not extend the one it signed before."""
        previous = await heads.newest(tx, tenant)
        if (previous.size if previous else 0) != last_signed_size:
            raise AuditRefusal(
                "head_malformed", f"log {tenant!r}: newest checkpoint is not of the size the head says was signed last"
            )
        if previous is None:
            if await reading.root_at(tx, tenant, new.size) != new.root:
                raise AuditRefusal(
                    "log_inconsistent", f"log {tenant!r}: stored entries do not give the root of the head"
                )
            return
        old = open_checkpoint(previous.note, new.origin, self._keys.verifiers(tenant))
        proof = await reading.consistency_proof(tx, tenant, old.size, new.size)
        if not consistency_holds(old.size, new.size, proof, old.root, new.root):
            raise AuditRefusal(
                "log_inconsistent",
                f"log {tenant!r}: the head at {new.size} does not extend the checkpoint of {old.size}",
            )


def _published(tenant: str, checkpoint: Checkpoint, note: str, now: datetime) -> Outgoing:
    body = CheckpointSigned(
        tenant=tenant,
        log_id=tenant,
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=hash_text(checkpoint.root),
        note=note,
        signed_at=now,
    )
    return outgoing(
        body, service="audit", cause=f"{checkpoint.origin}/{checkpoint.size}/{hash_text(checkpoint.root)}", time=now
    )


def _platform_entry(tenant: str, checkpoint: Checkpoint, note: str, now: datetime) -> Candidate:
    entry_id = derived_id("audit", "checkpoint", checkpoint.origin, str(checkpoint.size), hash_text(checkpoint.root))
    payload = growing.payload_of(note.encode(), is_personal=False)
    fields: dict[str, str | int] = {
        "log_id": tenant,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": hash_text(checkpoint.root),
    }
    draft = Draft(entry_id, CHECKPOINT_TYPE, now, WRITER, checkpoint.origin, payload.sha256, fields)
    return Candidate(event_hash("countersign/audit", entry_id), draft, payload)
