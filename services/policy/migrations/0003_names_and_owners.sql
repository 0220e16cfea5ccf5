-- Codes and their meanings are facts in `name_facts` from now on; what was known before is told at the beginning of time.
-- The owner of the tables stands behind the tenant wall too, which is lowered while it copies for all tenants.
alter table products no force row level security;
alter table locations no force row level security;
alter table suppliers no force row level security;
alter table aliases no force row level security;
alter table name_facts no force row level security;
insert into name_facts (tenant, subject, code, scheme, supplier, target, active, defined_at, told_at_ms, event_hash)
select tenant, 'item', sku, 'own', '', sku, true, defined_at, 0, '00000000-0000-0000-0000-000000000000'::uuid from products
union all
select tenant, 'location', location, 'own', '', location, true, defined_at, 0, '00000000-0000-0000-0000-000000000000' from locations
union all
select tenant, 'supplier', supplier, 'own', '', supplier, true, defined_at, 0, '00000000-0000-0000-0000-000000000000' from suppliers
union all
select tenant, subject, case when scheme = 'gtin' and code ~ '^[0-9]{8,14}$' then lpad(code, 14, '0') else code end, scheme,
       '', target, active, defined_at, 0, '00000000-0000-0000-0000-000000000000' from aliases
on conflict do nothing;
alter table products force row level security;
alter table locations force row level security;
alter table suppliers force row level security;
alter table name_facts force row level security;
drop table aliases;

-- Who answers for what; an empty list means all of them.
create table owner_scopes (
  tenant text not null,
  owner text not null,
  suppliers text[] not null,
  categories text[] not null,
  locations text[] not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, owner)
);
select protect('owner_scopes');
