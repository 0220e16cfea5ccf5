"""Questions to the log over HTTP, for the gateway: heads, tiles, entries with proofs, export, verification. Read only.

The tenant is that of the caller's token. `/audit/log/...` is the C2SP tlog-tiles form of the same log.
"""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from kit.clock import Clock
from kit.consumer import BatchConsumer
from kit.database import Database, Transaction
from kit.http import Problem
from kit.identity import Principal, require
from services.audit import checking, erasing
from services.audit.domain.checkpoints import Receipt, hash_text, parse_checkpoint
from services.audit.domain.entries import Actor
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.notes import parse_note
from services.audit.domain.tiles import TILE_WIDTH, TileName, encode_entries, is_within, parse_tile_path
from services.audit.exporting import export
from services.audit.keys import LogKeys
from services.audit.store import heads, reading

Auditor = Annotated[Principal, Depends(require("auditor", "admin"))]
Administrator = Annotated[Principal, Depends(require("admin"))]
# Planners and approvers may look up what the log says about a line; the whole log is for auditors.
Reader = Annotated[Principal, Depends(require())]
Seq = Annotated[int, Path(ge=0, lt=2**63 - 1)]
IMMUTABLE = {"cache-control": "public, max-age=31536000, immutable"}
NO_STORE = {"cache-control": "no-store"}


class ErasureBody(BaseModel):
    """Why personal data is erased. Do not name the person: the reason stays in the log."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=3, max_length=200)]


def attach(
    app: FastAPI,
    database: Database,
    consumer: BatchConsumer,
    keys: LogKeys,
    check: checking.SelfCheck,
    witness_vkey: str | None,
    clock: Clock,
) -> None:
    """Put the routes on the app."""
    router = APIRouter(prefix="/audit")
    _heads(router, database, keys)
    _entries(router, database)
    _proofs(router, database)
    _tiles(router, database)

    @router.get("/export")
    async def export_log(principal: Auditor) -> Response:
        """The whole log as JSON lines; `./run verify FILE` checks it offline."""
        extent = await checking.extent_of(database, consumer, principal.tenant)
        name = f"audit-{principal.tenant}-{extent.size}.jsonl".encode("ascii", "replace").decode().replace('"', "")
        stream = export(database, keys, principal.tenant, extent, witness_vkey)
        return StreamingResponse(
            stream,
            media_type="application/jsonl",
            headers={"content-disposition": f'attachment; filename="{name}"', **NO_STORE},
        )

    @router.post("/verification")
    async def verify_now(principal: Auditor) -> dict[str, Any]:
        """Verify the log from its first entry, now."""
        return await check.run(principal.tenant)

    @router.get("/verification")
    async def last_verification(principal: Auditor) -> dict[str, Any]:
        """The result of the last verification."""
        result = await checking.last_result(database, principal.tenant)
        if result is None:
            raise Problem(
                404, "never_verified", "This log was not verified yet", "POST to the same address verifies it."
            )
        return result

    @router.post("/entries/{seq}/erasure")
    async def erase_payload(principal: Administrator, seq: Seq, body: ErasureBody) -> dict[str, int]:
        """Erase the personal data of an entry, for ever; the log says that, when, who and why."""
        try:
            by = Actor(principal.subject, "admin")
            done = await erasing.erase(database, clock, principal.tenant, seq, by=by, reason=body.reason)
        except erasing.NothingToErase as refusal:
            code, explanation = refusal.args
            status = 404 if code == "no_such_entry" else 409
            raise Problem(status, code, "There is nothing to erase", explanation) from refusal
        return {"erased_seq": done.erased_seq, "logged_seq": done.logged_seq}

    app.include_router(router)


def _refused(refusal: AuditRefusal) -> Problem:
    return Problem(
        404 if refusal.code in ("index_outside_tree", "hashes_missing") else 400,
        refusal.code,
        "The log has no answer to this",
        str(refusal.args[1]),
    )


async def _newest(tx: Transaction, tenant: str) -> heads.StoredCheckpoint:
    newest = await heads.newest(tx, tenant)
    if newest is None:
        raise Problem(
            404,
            "not_signed_yet",
            "This log has no signed head yet",
            "It is signed within seconds of its first entry; ask again.",
        )
    return newest


async def _note(tx: Transaction, tenant: str, checkpoint: heads.StoredCheckpoint) -> str:
    lines = await heads.cosignatures(tx, tenant, checkpoint.size, checkpoint.size)
    return checkpoint.note + "".join(lines.get(checkpoint.size, ()))


def _heads(router: APIRouter, database: Database, keys: LogKeys) -> None:
    @router.get("/checkpoint")
    async def checkpoint(principal: Reader) -> dict[str, Any]:
        """The newest signed head, as JSON."""
        async with database.transaction(principal.tenant) as tx:
            newest = await _newest(tx, principal.tenant)
            note, size = await _note(tx, principal.tenant, newest), await reading.size_of(tx, principal.tenant)
        head = parse_checkpoint(parse_note(newest.note)[0])
        return {
            "origin": head.origin,
            "size": head.size,
            "root": hash_text(head.root),
            "root_hash": head.root.hex(),
            "note": note,
            "signed_at": newest.signed_at,
            "key": keys.verifiers(principal.tenant)[0].vkey(),
            "deployment_key": keys.deployment_vkeys()[0],
            "entries": size,
        }

    @router.get("/log/checkpoint")
    async def signed_note(principal: Reader) -> Response:
        """The newest signed head as a C2SP signed note."""
        async with database.transaction(principal.tenant) as tx:
            note = await _note(tx, principal.tenant, await _newest(tx, principal.tenant))
        return PlainTextResponse(note, headers=NO_STORE)


def _shown(stored: reading.StoredEntry) -> dict[str, Any]:
    entry = orjson.loads(stored.entry)
    return {name: entry[name] for name in ("seq", "id", "type", "occurred_at", "actor", "subject")} | {
        "leaf": stored.leaf.hex(),
        "entry": entry,
    }


def _entries(router: APIRouter, database: Database) -> None:
    @router.get("/entries")
    async def entries(
        principal: Reader,
        after_seq: Annotated[int, Query(ge=-1, lt=2**63)] = -1,
        limit: Annotated[int, Query(ge=1, le=reading.PAGE_MAX)] = 50,
        kind: Annotated[str | None, Query(alias="type")] = None,
        subject: str | None = None,
        item: Annotated[str | None, Query(description="sku/location")] = None,
        thread: Annotated[str | None, Query(description="recommendation or order id")] = None,
        actor: str | None = None,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        order: Annotated[str, Query(pattern="^(oldest|newest)$")] = "oldest",
    ) -> dict[str, Any]:
        """Search the log; `next_cursor` goes into `after_seq` for the next page."""
        if any(moment is not None and moment.tzinfo is None for moment in (from_time, to_time)):
            raise Problem(
                422,
                "invalid_request",
                "The request does not fit",
                "A time needs an offset, for example 2017-11-05T18:04:11Z.",
            )
        wanted = reading.Search(
            after_seq, kind, subject, item, thread, actor, from_time, to_time, order == "newest", limit
        )
        async with database.transaction(principal.tenant) as tx:
            found = await reading.search(tx, principal.tenant, wanted)
        return {"items": [_shown(one) for one in found], "next_cursor": found[-1].seq if len(found) == limit else None}

    @router.get("/entries/{seq}")
    async def entry(principal: Reader, seq: Seq) -> dict[str, Any]:
        """One entry with its payload (if it was not erased) and the receipt that it is in the signed log."""
        async with database.transaction(principal.tenant) as tx:
            found = await reading.entries_between(tx, principal.tenant, seq, seq + 1)
            if not found:
                raise Problem(404, "no_such_entry", "There is no such entry", f"The log has no entry {seq}.")
            shown = _shown(found[0])
            digest = shown["entry"]["payload_sha256"]
            payload = (await reading.payloads(tx, principal.tenant, [digest])).get(digest)
            signed = await heads.covering(tx, principal.tenant, seq)
            receipt = None if signed is None else await _receipt(tx, principal.tenant, seq, signed)
        shown["payload"] = None if payload is None or payload.value is None else _readable(payload.value)
        shown["payload_state"] = "in_batch" if payload is None else "erased" if payload.value is None else "kept"
        shown["receipt"] = None if receipt is None else receipt.text()
        return shown


def _readable(value: bytes) -> Any:
    """A payload as JSON where it is JSON, else as text."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.decode(errors="replace")


async def _receipt(tx: Transaction, tenant: str, seq: int, signed: heads.StoredCheckpoint) -> Receipt:
    proof = await reading.inclusion_proof(tx, tenant, seq, signed.size)
    return Receipt(seq, tuple(proof), await _note(tx, tenant, signed))


def _proofs(router: APIRouter, database: Database) -> None:
    @router.get("/proof/inclusion")
    async def inclusion(
        principal: Reader,
        seq: Annotated[int, Query(ge=0, lt=2**63 - 1)],
        size: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    ) -> dict[str, Any]:
        """Proof that entry `seq` is in the log at a signed `size` (default: the newest), and its receipt for offline use."""
        async with database.transaction(principal.tenant) as tx:
            newest = await _newest(tx, principal.tenant)
            signed = newest if size is None else await heads.checkpoint_at(tx, principal.tenant, size)
            if signed is None:
                raise Problem(
                    404, "size_not_signed", "No head of this size was signed", f"The newest has {newest.size} entries."
                )
            try:
                receipt = await _receipt(tx, principal.tenant, seq, signed)
                leaf = (await reading.entries_between(tx, principal.tenant, seq, seq + 1))[0].leaf
            except AuditRefusal as refusal:
                raise _refused(refusal) from refusal
        return {
            "seq": seq,
            "size": signed.size,
            "leaf": leaf.hex(),
            "proof": [one.hex() for one in receipt.proof],
            "receipt": receipt.text(),
        }

    @router.get("/proof/consistency")
    async def consistency(
        principal: Reader, old: Annotated[int, Query(ge=1, lt=2**63)], new: Annotated[int, Query(ge=1, lt=2**63)]
    ) -> dict[str, Any]:
        """Proof that the log at `old` is a prefix of the log at `new`."""
        async with database.transaction(principal.tenant) as tx:
            try:
                if new > await reading.size_of(tx, principal.tenant):
                    raise AuditRefusal("index_outside_tree", f"the log has not reached {new} entries")
                proof = await reading.consistency_proof(tx, principal.tenant, old, new)
                roots = [await reading.root_at(tx, principal.tenant, size) for size in (old, new)]
            except AuditRefusal as refusal:
                raise _refused(refusal) from refusal
        return {
            "old": old,
            "new": new,
            "old_root": roots[0].hex(),
            "new_root": roots[1].hex(),
            "proof": [one.hex() for one in proof],
        }


def _tiles(router: APIRouter, database: Database) -> None:
    @router.get("/log/tile/{level}/{rest:path}")
    async def tile(principal: Auditor, level: str, rest: str) -> Response:
        """A tile of hashes, or (level `entries`) a bundle of entries. Full and partial tiles never change."""
        try:
            name: TileName = parse_tile_path(level, rest)
        except AuditRefusal as refusal:
            raise _refused(refusal) from refusal
        async with database.transaction(principal.tenant) as tx:
            if not is_within(name, await reading.size_of(tx, principal.tenant)):
                raise Problem(
                    404,
                    "tile_not_there",
                    "The log does not fill this tile yet",
                    f"{name.path()} holds up to {TILE_WIDTH} hashes.",
                )
            if name.level is None:
                stored = await reading.entries_between(tx, principal.tenant, name.first, name.first + name.width)
                body = encode_entries([one.entry for one in stored])
            else:
                body = b"".join(await reading.tile_hashes(tx, principal.tenant, name))
        return Response(body, media_type="application/octet-stream", headers=IMMUTABLE)
