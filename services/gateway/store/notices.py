"""Notices, the webhooks that carry them, and every delivery."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from kit.database import Transaction
from services.gateway.domain.notices import Notice
from services.gateway.store.rows import Row, as_dicts

# While an attempt is on its way nobody else makes it; a process that dies leaves it to the next after this long.
LEASE = timedelta(seconds=60)
# What is older is no news: a mail server that was away for a week does not bury people.
MAILED_WITHIN = timedelta(days=1)


async def add(tx: Transaction, tenant: str, told: Sequence[Notice]) -> None:
    """Keep notices, each once, and lay one delivery for every webhook that asked for its kind."""
    if not told:
        return
    await tx.execute(
        "with fresh as (insert into notices (tenant, notice_id, kind, recipient, body, at)"
        " select $1, n.* from unnest($2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[]) as n"
        " on conflict do nothing returning tenant, notice_id, kind, at)"
        " insert into deliveries (tenant, webhook_id, notice_id, state, next_at)"
        " select w.tenant, w.webhook_id, f.notice_id, 'waiting', clock_timestamp() from fresh f"
        " join webhooks w on w.tenant = f.tenant and f.kind = any(w.kinds) and w.disabled_at is null",
        tenant,
        [notice.notice_id for notice in told],
        [notice.kind for notice in told],
        [notice.recipient for notice in told],
        [orjson.dumps(dict(notice.body)).decode() for notice in told],
        [notice.at for notice in told],
    )


def _notice(row: Any) -> Notice:
    return Notice(row["notice_id"], row["kind"], row["recipient"], row["at"], orjson.loads(row["body"]))


async def put_webhook(tx: Transaction, tenant: str, row: Row) -> None:
    await tx.execute(
        "insert into webhooks (tenant, webhook_id, url, kinds, secret, created_by, created_at) values ($1,$2,$3,$4,$5,$6,$7)",
        tenant,
        *(row[name] for name in ("webhook_id", "url", "kinds", "secret", "created_by", "created_at")),
    )


async def webhooks(tx: Transaction, tenant: str) -> list[Row]:
    """All of them, without their secrets, with how their deliveries stand."""
    return as_dicts(
        await tx.fetch(
            "select w.webhook_id, w.url, w.kinds, w.created_by, w.created_at, w.disabled_at, w.disabled_because,"
            " count(d.*) filter (where d.state = 'waiting') as waiting, count(d.*) filter (where d.state = 'delivered') as delivered,"
            " count(d.*) filter (where d.state = 'failed') as failed"
            " from webhooks w left join deliveries d on d.tenant = w.tenant and d.webhook_id = w.webhook_id"
            " where w.tenant = $1 group by w.tenant, w.webhook_id order by w.created_at, w.webhook_id",
            tenant,
        )
    )


async def is_webhook(tx: Transaction, tenant: str, webhook_id: str) -> bool:
    found = await tx.fetchval("select 1 from webhooks where tenant = $1 and webhook_id = $2", tenant, webhook_id)
    return found is not None


async def replace_secret(tx: Transaction, tenant: str, webhook_id: str, secret: str, former_until: datetime) -> bool:
    """A new secret; the former one signs as well until `former_until`."""
    done = await tx.fetchval(
        "update webhooks set former_secret = secret, former_until = $4, secret = $3 where tenant = $1 and webhook_id = $2 returning 1",
        tenant,
        webhook_id,
        secret,
        former_until,
    )
    return done is not None


async def remove_webhook(tx: Transaction, tenant: str, webhook_id: str) -> bool:
    done = await tx.fetchval(
        "delete from webhooks where tenant = $1 and webhook_id = $2 returning 1", tenant, webhook_id
    )
    return done is not None


async def disable(tx: Transaction, tenant: str, webhook_id: str, because: str, now: datetime) -> None:
    await tx.execute(
        "update webhooks set disabled_at = $4, disabled_because = $3 where tenant = $1 and webhook_id = $2",
        tenant,
        webhook_id,
        because,
        now,
    )
    await tx.execute(
        "update deliveries set state = 'failed', last_error = $3 where tenant = $1 and webhook_id = $2 and state = 'waiting'",
        tenant,
        webhook_id,
        because,
    )


async def deliveries(tx: Transaction, tenant: str, webhook_id: str, limit: int) -> list[Row]:
    """The newest deliveries of a webhook."""
    return as_dicts(
        await tx.fetch(
            "select d.notice_id, n.kind, d.state, d.attempts, d.next_at, d.last_status, d.last_error, d.delivered_at, n.at"
            " from deliveries d join notices n on n.tenant = d.tenant and n.notice_id = d.notice_id"
            " where d.tenant = $1 and d.webhook_id = $2 order by n.seq desc limit $3",
            tenant,
            webhook_id,
            limit,
        )
    )


async def again(tx: Transaction, tenant: str, webhook_id: str, notice_id: str, now: datetime) -> bool:
    """Deliver once more, from the first attempt on."""
    done = await tx.fetchval(
        "update deliveries set state = 'waiting', attempts = 0, next_at = $4 where tenant = $1 and webhook_id = $2 and notice_id = $3"
        " returning 1",
        tenant,
        webhook_id,
        notice_id,
        now,
    )
    return done is not None


async def claim(tx: Transaction, tenant: str, now: datetime, limit: int) -> list[tuple[Row, Notice]]:
    """Deliveries whose time has come, leased to the caller; each with its webhook and what it tells."""
    rows = await tx.fetch(
        "with due as (select webhook_id, notice_id from deliveries where tenant = $1 and state = 'waiting' and next_at <= $2"
        " order by next_at limit $3 for update skip locked),"
        " leased as (update deliveries d set next_at = $2::timestamptz + $4::interval, attempts = attempts + 1 from due"
        " where d.tenant = $1 and d.webhook_id = due.webhook_id and d.notice_id = due.notice_id"
        " returning d.webhook_id, d.notice_id, d.attempts)"
        " select l.webhook_id, l.attempts, w.url, w.secret, w.former_secret, w.former_until, n.notice_id, n.kind, n.recipient, n.at, n.body"
        " from leased l join webhooks w on w.tenant = $1 and w.webhook_id = l.webhook_id"
        " join notices n on n.tenant = $1 and n.notice_id = l.notice_id",
        tenant,
        now,
        limit,
        LEASE,
    )
    return [(dict(row), _notice(row)) for row in rows]


async def settle(
    tx: Transaction,
    tenant: str,
    webhook_id: str,
    notice_id: str,
    *,
    state: str,
    next_at: datetime,
    status: int | None,
    error: str | None,
    delivered_at: datetime | None,
) -> None:
    """What came of an attempt."""
    await tx.execute(
        "update deliveries set state = $4, next_at = $5, last_status = $6, last_error = $7, delivered_at = $8"
        " where tenant = $1 and webhook_id = $2 and notice_id = $3",
        tenant,
        webhook_id,
        notice_id,
        state,
        next_at,
        status,
        error,
        delivered_at,
    )


async def nearly_due(tx: Transaction, tenant: str, now: datetime, before: timedelta) -> list[Row]:
    """Waiting lines whose time is over within `before`, each told of once (its notice says so)."""
    return as_dicts(
        await tx.fetch(
            "select a.* from assignments a join lines l on l.tenant = a.tenant and l.line_id = a.line_id"
            " where a.tenant = $1 and not a.escalated and a.due_at <= $2::timestamptz + $3::interval and a.due_at > $2"
            " and l.status in ('pending', 'awaiting_second') order by a.due_at, a.line_id",
            tenant,
            now,
            before,
        )
    )


async def claim_mail(tx: Transaction, tenant: str, now: datetime, limit: int) -> list[Notice]:
    """Notices of the last day nobody was mailed about, oldest first, leased to the caller."""
    rows = await tx.fetch(
        "with chosen as (select notice_id from notices where tenant = $1 and mailed_at is null and mail_after <= $2"
        " and at > $2::timestamptz - $4::interval order by seq limit $5 for update skip locked)"
        " update notices n set mail_after = $2::timestamptz + $3::interval from chosen c"
        " where n.tenant = $1 and n.notice_id = c.notice_id returning n.*",
        tenant,
        now,
        LEASE,
        MAILED_WITHIN,
        limit,
    )
    return [_notice(row) for row in sorted(rows, key=lambda row: int(row["seq"]))]


async def mailed(tx: Transaction, tenant: str, notice_ids: Sequence[str], now: datetime) -> None:
    await tx.execute(
        "update notices set mailed_at = $3 where tenant = $1 and notice_id = any($2::text[])",
        tenant,
        list(notice_ids),
        now,
    )


async def addresses(tx: Transaction, tenant: str) -> list[Row]:
    """People who asked to be mailed: name, roles, address, and which kinds they want."""
    rows = await tx.fetch(
        "select a.username, a.roles, p.body->'notify' as notify from accounts a join preferences p on p.tenant = a.tenant"
        " and p.username = a.username where a.tenant = $1 and a.active and p.body->'notify'->>'email' is not null",
        tenant,
    )
    return [dict(row) | {"notify": orjson.loads(row["notify"])} for row in rows]


async def forget(tx: Transaction, tenant: str, before: datetime) -> None:
    """Drop notices that were settled long ago, and marks on mentions that no list shows any more."""
    await tx.execute("delete from seen_mentions where tenant = $1 and seen_at < $2", tenant, before)
    await tx.execute(
        "delete from notices n where tenant = $1 and at < $2 and not exists (select from deliveries d where d.tenant = n.tenant"
        " and d.notice_id = n.notice_id and d.state = 'waiting')",
        tenant,
        before,
    )
