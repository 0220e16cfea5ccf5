"""The audit log, asked of its owner: entries, checkpoints, proofs, verification, export. Passed through as the audit service says it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed

router = APIRouter(prefix="/v1/audit", tags=["audit"])
EXPORT_EXAMPLE = (
    '{"record":"log","format":"countersign-audit-export/1","tenant":"demo","origin":"local/audit/demo","size":1}\n'
)
Seq = Annotated[int, Path(ge=0, lt=2**63 - 1)]
Size = Annotated[int | None, Query(ge=0, lt=2**63)]
Text = Annotated[str | None, Query(max_length=200)]
OWNERS_ANSWER: dict[int | str, dict[str, Any]] = {503: {"description": "The audit service cannot be reached."}}


@router.get("/checkpoint", summary="The newest signed tree head", responses=OWNERS_ANSWER)
async def checkpoint(who: Who, parts: Parts) -> Response:
    """Origin, size, root and the signed note."""
    return passed(await parts.owners.call("audit", "GET", "/audit/checkpoint", who.principal))


@router.get("/entries", summary="Entries, oldest first", responses=OWNERS_ANSWER)
async def entries(
    who: Who,
    parts: Parts,
    after_seq: Annotated[int | None, Query(ge=-1, lt=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    entry_type: Annotated[str | None, Query(alias="type", max_length=200)] = None,
    subject: Text = None,
    item: Text = None,
    thread: Text = None,
    actor: Text = None,
    from_time: Text = None,
    to_time: Text = None,
    order: Annotated[Literal["oldest", "newest"], Query()] = "oldest",
) -> Response:
    """One page of entries; `item` is sku/location, `thread` the id of a recommendation or order."""
    params: dict[str, Any] = {
        "after_seq": after_seq,
        "limit": limit,
        "type": entry_type,
        "subject": subject,
        "item": item,
        "thread": thread,
        "actor": actor,
    }
    params |= {"from_time": from_time, "to_time": to_time, "order": order}
    return passed(await parts.owners.call("audit", "GET", "/audit/entries", who.principal, params=params))


@router.get("/entries/{seq}", summary="One entry", responses=OWNERS_ANSWER)
async def entry(seq: Seq, who: Who, parts: Parts) -> Response:
    """The logged bytes, and the payload where it is kept."""
    return passed(await parts.owners.call("audit", "GET", f"/audit/entries/{seq}", who.principal))


@router.get("/proof/inclusion", summary="Proof that an entry is in the log", responses=OWNERS_ANSWER)
async def inclusion(
    who: Who, parts: Parts, seq: Annotated[int, Query(ge=0, lt=2**63 - 1)], size: Size = None
) -> Response:
    """Against the tree of `size`; default the newest checkpoint."""
    return passed(
        await parts.owners.call(
            "audit", "GET", "/audit/proof/inclusion", who.principal, params={"seq": seq, "size": size}
        )
    )


@router.get("/proof/consistency", summary="Proof that one tree extends another", responses=OWNERS_ANSWER)
async def consistency(
    who: Who, parts: Parts, old: Annotated[int, Query(ge=1, lt=2**63)], new: Annotated[int, Query(ge=1, lt=2**63)]
) -> Response:
    """From tree size `old` to tree size `new`."""
    return passed(
        await parts.owners.call(
            "audit", "GET", "/audit/proof/consistency", who.principal, params={"old": old, "new": new}
        )
    )


@router.post("/verification", summary="Verify the whole log now", responses=OWNERS_ANSWER)
async def verification(who: Who, parts: Parts) -> Response:
    """Recomputes every hash and checks every signed checkpoint."""
    return passed(await parts.owners.call("audit", "POST", "/audit/verification", who.principal))


@router.get("/verification", summary="The result of the last verification", responses=OWNERS_ANSWER)
async def last_verification(who: Who, parts: Parts) -> Response:
    """404 before the first one."""
    return passed(await parts.owners.call("audit", "GET", "/audit/verification", who.principal))


@router.get(
    "/export",
    summary="The log as a file for offline verification",
    response_class=Response,
    responses=OWNERS_ANSWER
    | {200: {"description": "One JSON object a line", "content": {"application/jsonl": {"example": EXPORT_EXAMPLE}}}},
)
async def export(who: Who, parts: Parts) -> Response:
    """What `./run verify` reads."""
    return await parts.owners.stream("audit", "/audit/export", who.principal)
