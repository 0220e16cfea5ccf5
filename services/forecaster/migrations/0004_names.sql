-- Codes and their meanings are facts in `name_facts` from now on; what was known before is told at the beginning of time.
-- The owner of the tables stands behind the tenant wall too, which is lowered while it copies for all tenants.
alter table catalogue_items no force row level security;
alter table catalogue_locations no force row level security;
alter table catalogue_aliases no force row level security;
alter table name_facts no force row level security;
insert into name_facts (tenant, subject, code, scheme, supplier, target, active, defined_at, told_at_ms, event_hash)
select tenant, 'item', sku, 'own', '', sku, true, defined_at, 0, '00000000-0000-0000-0000-000000000000'::uuid
from catalogue_items
union all
select tenant, 'location', location, 'own', '', location, true, defined_at, 0, '00000000-0000-0000-0000-000000000000'
from catalogue_locations
union all
select tenant, subject, code, 'legacy_code', '', target, active, defined_at, 0, '00000000-0000-0000-0000-000000000000'
from catalogue_aliases;
alter table catalogue_items force row level security;
alter table catalogue_locations force row level security;
alter table name_facts force row level security;
drop table catalogue_aliases;
