"""Lines beside an item's own order, each by what it is about: their newest plan, and holds by people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from kit.database import Transaction
from services.policy.domain.substitution import SUBSTITUTE

Key = tuple[str, str, str, str]  # sku, location, kind, code


def is_held(until: date | None, as_of: date | None) -> bool:
    """Whether a person's word that something is left alone until a day still stands on a business date."""
    return until is not None and (as_of is None or as_of < until)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the newest plan of a line said; `hold_until`: a person wants it left alone before that business date."""

    sku: str
    location: str
    kind: str
    code: str
    as_of: date
    recommendation_id: str
    line_id: str
    signature: str | None
    is_open: bool
    hold_reason: str | None = None
    hold_until: date | None = None

    @property
    def key(self) -> Key:
        """What it is known by."""
        return (self.sku, self.location, self.kind, self.code)

    @property
    def item(self) -> tuple[str, str]:
        """The item whose plan it belongs to; of a substitute, the product it stands in for."""
        return (self.code if self.kind == SUBSTITUTE else self.sku, self.location)

    def is_held(self, as_of: date | None) -> bool:
        """Whether a person's word still stands on a business date."""
        return is_held(self.hold_until, as_of)


# An item's own lines, then those of others that stand in for it. Each item's are sought by their key (see `evidence.LOAD`).
_OF_ITEM = ("r.sku = t.sku and r.kind <> 'substitute'", "r.code = t.sku and r.kind = 'substitute'")
_LOCKED = """
select b.* from (select * from unnest($2::text[], $3::text[]) as u(sku, location) order by 1, 2) t cross join lateral (
  select sku, location, kind, code, as_of, recommendation_id, line_id, signature, is_open, hold_reason, hold_until
  from lines_beside r where r.tenant = $1 and r.location = t.location and {} order by kind, code, sku for update
) b
"""


async def of_items(tx: Transaction, tenant: str, items: Sequence[tuple[str, str]]) -> dict[Key, Kept]:
    """The lines that belong to the plans of these items, locked in a fixed order."""
    skus, locations = [sku for sku, _location in items], [location for _sku, location in items]
    rows = [row for which in _OF_ITEM for row in await tx.fetch(_LOCKED.format(which), tenant, skus, locations)]
    found = [Kept(**dict(row)) for row in rows]
    return {one.key: one for one in found}


async def keep(tx: Transaction, tenant: str, lines: Sequence[Kept]) -> None:
    """Write the newest plans; holds that are over end."""
    if not lines:
        return
    rows = sorted(lines, key=lambda one: one.key)
    await tx.execute(
        "insert into lines_beside as b (tenant, sku, location, kind, code, as_of, recommendation_id, line_id, signature, is_open)"
        " select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::text[], $9::text[],"
        " $10::boolean[]) on conflict (tenant, sku, location, kind, code) do update set"
        " as_of = excluded.as_of, recommendation_id = excluded.recommendation_id, line_id = excluded.line_id,"
        " signature = excluded.signature, is_open = excluded.is_open,"
        " hold_reason = case when b.hold_until > excluded.as_of then b.hold_reason end,"
        " hold_until = case when b.hold_until > excluded.as_of then b.hold_until end",
        tenant,
        [one.sku for one in rows],
        [one.location for one in rows],
        [one.kind for one in rows],
        [one.code for one in rows],
        [one.as_of for one in rows],
        [one.recommendation_id for one in rows],
        [one.line_id for one in rows],
        [one.signature for one in rows],
        [one.is_open for one in rows],
    )


async def close(tx: Transaction, tenant: str, line_id: str) -> None:
    """The line waits for no decision any more, whichever of its versions was decided."""
    await tx.execute(
        "update lines_beside set is_open = false, signature = null where tenant = $1 and line_id = $2", tenant, line_id
    )


async def hold(tx: Transaction, tenant: str, line_id: str, reason: str, until: date | None, days: int) -> None:
    """A person wants nothing proposed before `until`; without it, for so many business days after the plan's."""
    await tx.execute(
        "update lines_beside set hold_reason = $3, hold_until = coalesce($4, as_of + $5::int)"
        " where tenant = $1 and line_id = $2",
        tenant,
        line_id,
        reason,
        until,
        days,
    )


async def unhold(tx: Transaction, tenant: str, line_id: str) -> None:
    """It may be proposed again."""
    await tx.execute(
        "update lines_beside set hold_reason = null, hold_until = null where tenant = $1 and line_id = $2",
        tenant,
        line_id,
    )


async def reopen(tx: Transaction, tenant: str, line_id: str, recommendation_id: str) -> None:
    """A decision was taken back: the line waits again."""
    await tx.execute(
        "update lines_beside set is_open = true, recommendation_id = $3, signature = null, hold_reason = null,"
        " hold_until = null where tenant = $1 and line_id = $2",
        tenant,
        line_id,
        recommendation_id,
    )
