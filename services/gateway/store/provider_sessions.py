"""Sessions that an identity provider vouches for: when its word is due to be asked for again, and when it takes it back."""

from datetime import datetime

from kit.database import Transaction
from services.gateway.store.rows import Row, as_dicts

_ACCOUNT = "a.username, a.name, a.roles, a.active, a.sign_on_subject is not null as by_provider"


async def vouched(
    tx: Transaction, tenant: str, token_sha256: bytes, *, sid: str | None, refresh_token: bytes | None, now: datetime
) -> None:
    """Note on a session what its provider said of it just now; `refresh_token` is sealed."""
    await tx.execute(
        "update sessions set sign_on_sid = coalesce($3, sign_on_sid), refresh_token = $4, checked_at = $5"
        " where tenant = $1 and token_sha256 = $2",
        tenant,
        token_sha256,
        sid,
        refresh_token,
        now,
    )


async def lock_due(tx: Transaction, tenant: str, before: datetime) -> Row | None:
    """One session whose provider was asked last before that, with its account; nobody else asks for it meanwhile."""
    row = await tx.fetchrow(
        f"select s.token_sha256, s.refresh_token, s.checked_at, a.sign_on_issuer, a.sign_on_subject, {_ACCOUNT}"
        " from sessions s join accounts a using (tenant, username)"
        " where s.tenant = $1 and s.refresh_token is not null and s.checked_at < $2"
        " order by s.checked_at limit 1 for update of s skip locked",
        tenant,
        before,
    )
    return dict(row) if row else None


async def end(tx: Transaction, tenant: str, issuer: str, subject: str | None, sid: str | None) -> list[Row]:
    """End the session `sid` of the provider, or without one all sessions of `subject`; the accounts they were of."""
    rows = await tx.fetch(
        "with ended as (delete from sessions s using accounts a where s.tenant = $1 and a.tenant = s.tenant"
        " and a.username = s.username and a.sign_on_issuer = $2 and ($3::text is null or a.sign_on_subject = $3)"
        " and ($4::text is null or s.sign_on_sid = $4) and coalesce($3, $4) is not null returning s.username)"
        f" select distinct {_ACCOUNT} from ended join accounts a on a.tenant = $1 and a.username = ended.username",
        tenant,
        issuer,
        subject,
        sid,
    )
    return as_dicts(rows)
