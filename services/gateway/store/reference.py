"""Master data, exceptions, signals, policy versions and checkpoints as they were last published."""

from collections.abc import Collection, Sequence

from kit.database import Transaction
from services.gateway.store.rows import Row, as_json


async def put_catalogue(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """Facts of the master data; the newest `defined_at` wins, whatever order they came in."""
    await tx.execute(
        """
        insert into catalogue (tenant, kind, identity, defined_at, active, name, category, abc_class, body)
        select $1, kind, identity, defined_at, active, name, category, abc_class, body
        from jsonb_to_recordset($2::jsonb) as r(kind text, identity text, defined_at timestamptz, active boolean, name text,
          category text, abc_class text, body jsonb)
        order by kind, identity
        on conflict (tenant, kind, identity) do update set defined_at = excluded.defined_at, active = excluded.active,
          name = excluded.name, category = excluded.category, abc_class = excluded.abc_class, body = excluded.body
        where catalogue.defined_at <= excluded.defined_at
        """,
        tenant,
        as_json(rows),
    )


async def names(tx: Transaction, tenant: str, kind: str, identities: Collection[str]) -> dict[str, str]:
    """The names of these facts, as far as the catalogue has told them."""
    rows = await tx.fetch(
        "select identity, name from catalogue where tenant = $1 and kind = $2 and identity = any($3) and name is not null",
        tenant,
        kind,
        sorted(identities),
    )
    return {row["identity"]: row["name"] for row in rows}


async def time_zones(tx: Transaction, tenant: str, locations: Collection[str]) -> dict[str, str]:
    """The time zones of those of these locations that the catalogue knows."""
    rows = await tx.fetch(
        "select identity, coalesce(body->>'time_zone', 'UTC') as zone from catalogue where tenant = $1 and kind = 'location'"
        " and identity = any($2)",
        tenant,
        sorted(locations),
    )
    return {row["identity"]: row["zone"] for row in rows}


async def raise_exceptions(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """Open exceptions; raised again after it was resolved, an exception is open again."""
    await tx.execute(
        """
        insert into exceptions (tenant, exception_id, kind, subject, sku, location, supplier, says, remedy, money_at_stake, currency,
          owner, raised_on, details)
        select $1, exception_id, kind, subject, sku, location, supplier, says, remedy, money_at_stake, currency, owner, raised_on,
          details
        from jsonb_to_recordset($2::jsonb) as r(exception_id text, kind text, subject text, sku text, location text, supplier text,
          says text, remedy text, money_at_stake numeric, currency text, owner text, raised_on date, details jsonb)
        order by exception_id
        on conflict (tenant, exception_id) do update set says = excluded.says, remedy = excluded.remedy,
          money_at_stake = excluded.money_at_stake, currency = excluded.currency, owner = excluded.owner, details = excluded.details, resolved_on = null,
          resolved_says = null
        """,
        tenant,
        as_json(rows),
    )


async def resolve_exceptions(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        update exceptions e set resolved_on = r.resolved_on, resolved_says = r.says
        from jsonb_to_recordset($2::jsonb) as r(exception_id text, resolved_on date, says text)
        where e.tenant = $1 and e.exception_id = r.exception_id
        """,
        tenant,
        as_json(rows),
    )


async def put_signals(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        insert into signals (tenant, signal_id, kind, sku, location, category, supplier, starts_at, ends_at, body)
        select $1, signal_id, kind, sku, location, category, supplier, starts_at, ends_at, body
        from jsonb_to_recordset($2::jsonb) as r(signal_id text, kind text, sku text, location text, category text, supplier text,
          starts_at timestamptz, ends_at timestamptz, body jsonb)
        order by signal_id
        on conflict (tenant, signal_id) do update set kind = excluded.kind, sku = excluded.sku, location = excluded.location,
          category = excluded.category, supplier = excluded.supplier, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
          body = excluded.body
        """,
        tenant,
        as_json(rows),
    )


async def put_policies(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """Every version of the policy parameters."""
    await tx.execute(
        """
        insert into policies (tenant, scope, version, valid_from, parameters, published_by, published_at, reason)
        select $1, scope, version, valid_from, parameters, published_by, published_at, reason
        from jsonb_to_recordset($2::jsonb) as r(scope text, version integer, valid_from date, parameters jsonb, published_by text,
          published_at timestamptz, reason text)
        order by scope, version
        on conflict (tenant, scope, version) do nothing
        """,
        tenant,
        as_json(rows),
    )


async def put_checkpoints(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """The largest signed tree head of each log."""
    await tx.execute(
        """
        insert into checkpoints (tenant, log_id, origin, size, root, note, signed_at)
        select $1, log_id, origin, size, root, note, signed_at
        from jsonb_to_recordset($2::jsonb) as r(log_id text, origin text, size bigint, root text, note text, signed_at timestamptz)
        order by log_id
        on conflict (tenant, log_id) do update set origin = excluded.origin, size = excluded.size, root = excluded.root,
          note = excluded.note, signed_at = excluded.signed_at where checkpoints.size <= excluded.size
        """,
        tenant,
        as_json(rows),
    )
