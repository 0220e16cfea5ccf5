"""Comments that name a person, and which of them they have looked at."""

from datetime import datetime

from kit.database import Transaction
from services.gateway.store.rows import Row, as_dicts

_ITEM_AND_PLACE = (
    " left join catalogue i on i.tenant = $1 and i.kind = 'item' and i.identity = o.sku"
    " left join catalogue p on p.tenant = $1 and p.kind = 'location' and p.identity = o.location"
)
# A comment `o` that names the person $2; their own words to themselves do not count.
_NAMES_THEM = " where o.tenant = $1 and o.mentions @> array[$2] and o.commented_by <> $2"


async def mentions_of(
    tx: Transaction, tenant: str, username: str, since: datetime, limit: int, *, unseen: bool = False
) -> list[Row]:
    """What named this person on a line after `since`, newest first, with when they looked at it."""
    rows = await tx.fetch(
        f"select o.*, i.name as item_name, p.name as location_name, s.seen_at from comments o{_ITEM_AND_PLACE}"
        " left join seen_mentions s on s.tenant = $1 and s.username = $2 and s.comment_id = o.comment_id"
        f"{_NAMES_THEM} and o.commented_at > $3 and (not $5 or s.seen_at is null)"
        " order by o.commented_at desc, o.comment_id limit $4",
        tenant,
        username,
        since,
        limit,
        unseen,
    )
    return as_dicts(rows)


async def is_mention_of(tx: Transaction, tenant: str, username: str, comment_id: str) -> bool:
    """Whether this comment names this person and the transaction sees it."""
    found = await tx.fetchval(
        f"select 1 from comments o{_NAMES_THEM} and o.comment_id = $3", tenant, username, comment_id
    )
    return found is not None


async def mark_seen(tx: Transaction, tenant: str, username: str, comment_id: str, now: datetime) -> None:
    """They looked at it; the first look counts."""
    await tx.execute(
        "insert into seen_mentions (tenant, username, comment_id, seen_at) values ($1, $2, $3, $4) on conflict do nothing",
        tenant,
        username,
        comment_id,
        now,
    )
