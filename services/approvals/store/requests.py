"""Answers already given, so that the same request gets the same answer and happens once."""

from dataclasses import dataclass

from kit.database import Transaction

# A client that gives up retries within a day; the draft standard asks for a published retention, ours is in the README of the API.
KEEP = "24 hours"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Who asked for what: a key is only ever looked up for its own tenant, person and route."""

    tenant: str
    principal: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer and the digest of the body it answered."""

    status: int
    body: str
    etag: str | None
    body_sha256: str


async def claim(tx: Transaction, request: RequestKey) -> bool:
    """Take the request for this transaction; False while another transaction has it. Released with the transaction, so
    that a process killed half-way leaves nothing behind."""
    text = "\x1f".join((request.tenant, request.principal, request.route, request.key))
    return bool(await tx.fetchval("select pg_try_advisory_xact_lock(hashtextextended($1, 0))", text))


async def answered(tx: Transaction, request: RequestKey) -> Answer | None:
    """The answer given before, if any."""
    row = await tx.fetchrow(
        "select status, answer, etag, body_sha256 from answered_requests where tenant = $1 and principal = $2 and route = $3 and idempotency_key = $4",
        request.tenant,
        request.principal,
        request.route,
        request.key,
    )
    return Answer(row["status"], row["answer"], row["etag"], row["body_sha256"]) if row else None


async def answer(tx: Transaction, request: RequestKey, given: Answer) -> None:
    """Keep an answer, in the transaction that made it true."""
    await tx.execute(
        "insert into answered_requests (tenant, principal, route, idempotency_key, body_sha256, status, answer, etag) values ($1,$2,$3,$4,$5,$6,$7,$8)",
        request.tenant,
        request.principal,
        request.route,
        request.key,
        given.body_sha256,
        given.status,
        given.body,
        given.etag,
    )


async def forget_old(tx: Transaction, tenant: str) -> None:
    """Drop answers past their retention."""
    await tx.execute(
        f"delete from answered_requests where tenant = $1 and answered_at < now() - interval '{KEEP}'", tenant
    )
