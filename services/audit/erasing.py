"""Erasing personal data: the payload and its salt go, an entry says that and why, the log stays verifiable."""

from dataclasses import dataclass

import orjson

from kernel.ids import derived_id
from kit.clock import Clock
from kit.database import Database
from kit.events import event_hash
from services.audit.domain.appending import Candidate
from services.audit.domain.entries import Actor, Draft
from services.audit.store import growing, reading

ERASED_TYPE = "audit.payload-erased.v1"
REASON_CHARACTERS_MAX = 200


class NothingToErase(LookupError):
    """No such entry, or its payload holds no personal data, or it was erased before; args are (code, explanation)."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Where the log says it."""

    erased_seq: int
    logged_seq: int


async def erase(database: Database, clock: Clock, tenant: str, seq: int, *, by: Actor, reason: str) -> Erasure:
    """Erase the payload of entry `seq` and log it, in one transaction. Raises NothingToErase.

    The reason must not itself name the person: it stays for ever.
    """
    async with database.transaction(tenant) as tx:
        # The head first, as every writer locks it, so that the entry and the erasure are one step for everybody.
        await growing.lock_head(tx, tenant)
        found = await reading.entries_between(tx, tenant, seq, seq + 1)
        if not found:
            raise NothingToErase("no_such_entry", f"The log has no entry {seq}.")
        digest = str(orjson.loads(found[0].entry)["payload_sha256"])
        now = clock.now()
        if not await growing.erase_payload(tx, tenant, bytes.fromhex(digest), now):
            raise NothingToErase(
                "nothing_to_erase", f"Entry {seq} has no payload with personal data that is still there."
            )
        entry_id = derived_id("audit", "erased", tenant, digest)
        record: dict[str, str | int] = {
            "erased_seq": seq,
            "erased_sha256": digest,
            "reason": reason[:REASON_CHARACTERS_MAX],
        }
        payload = growing.payload_of(orjson.dumps(record), is_personal=False)
        draft = Draft(entry_id, ERASED_TYPE, now, by, f"entry/{seq}", payload.sha256, record)
        done = await growing.append_candidates(
            tx, tenant, [Candidate(event_hash("countersign/audit", entry_id), draft, payload)]
        )
    return Erasure(seq, done.entries[0].seq)
