-- Who reads only part of the tenant: the coverage of the approval matrix, where that version of it limits reading. A transaction
-- on behalf of such a person runs as {reader}, who can change nothing and sees of these tables what `app.readers` cover.

-- The newest version of the matrix, as far as reading goes.
create table matrices (
  tenant text not null primary key,
  version integer not null,
  limits_reading boolean not null,
  delegations jsonb not null
);
select protect('matrices');

-- A dimension that names nothing fits everything. One person may have several entries; each of them fits by itself.
create table coverage (
  tenant text not null,
  subject text not null,
  entry integer not null,
  suppliers text[] not null,
  categories text[] not null,
  locations text[] not null,
  primary key (tenant, subject, entry)
);
select protect('coverage');

-- Whose item it is follows from the supplier's terms for it. Columns, because an index on what stands in a body is of no use
-- behind row-level security: Postgres would have to read the body before it knows whose row it is.
alter table catalogue
  add column term_sku text generated always as (case when kind = 'supplier-item' then body->>'sku' end) stored,
  add column term_supplier text generated always as (case when kind = 'supplier-item' then body->>'supplier' end) stored,
  add column term_location text generated always as (case when kind = 'supplier-item' then body->>'location' end) stored;
create index catalogue_terms on catalogue (tenant, term_sku) where kind = 'supplier-item';

-- `fits` says when an entry `c` of the coverage fits a row of `target`.
create function limit_reading(target text, fits text) returns void language plpgsql as $$
begin
  execute format('create policy covered on %I as restrictive for select to {reader} using (exists (select from coverage c'
    ' where c.tenant = %I.tenant and c.subject = any((select current_setting(''app.readers'')::text[])::text[]) and %s))',
    target, target, replace(fits, '@', target));
end $$;

create function of_category(sku text) returns text language sql as $$
  select '(c.categories = ''{}'' or exists (select from catalogue i where i.tenant = @.tenant and i.kind = ''item'' and i.identity = '
    || sku || ' and i.category = any(c.categories)))'
$$;

create function of_supplier_of_item() returns text language sql as $$
  select '(c.suppliers = ''{}'' or exists (select from catalogue t where t.tenant = @.tenant and t.kind = ''supplier-item'' and t.active'
    ' and t.term_sku = @.sku and coalesce(t.term_location, @.location) = @.location and t.term_supplier = any(c.suppliers)))'
$$;

-- A line by its own supplier, and a transfer by the place it comes from, too: as for deciding.
select limit_reading('lines', '(c.locations = ''{}'' or c.locations && array[@.location, @.from_location])'
  ' and (c.suppliers = ''{}'' or @.supplier = any(c.suppliers)) and ' || of_category('@.sku'));
-- An order is one paper: who covers one of its lines reads all of it.
select limit_reading('orders', '(c.locations = ''{}'' or c.locations && array[@.location, @.from_location])'
  ' and (c.suppliers = ''{}'' or @.supplier = any(c.suppliers)) and (c.categories = ''{}'' or exists (select from'
  ' jsonb_array_elements(@.lines) l where ' || of_category('(l->>''sku'')') || '))');
select limit_reading('exceptions', '(c.locations = ''{}'' or @.location = any(c.locations)) and (@.supplier = any(c.suppliers) or '
  || of_supplier_of_item() || ') and ' || of_category('@.sku'));
select limit_reading(name, '(c.locations = ''{}'' or @.location = any(c.locations)) and ' || of_supplier_of_item()
  || ' and ' || of_category('@.sku')) from unnest(array['outcomes', 'forecasts']) name;

-- What hangs on one of these is read by whoever reads that: Postgres applies the policies above within these.
create policy covered on decisions as restrictive for select to {reader}
  using (exists (select from lines l where l.tenant = decisions.tenant and l.line_id = decisions.line_id));
create policy covered on assignments as restrictive for select to {reader}
  using (exists (select from lines l where l.tenant = assignments.tenant and l.line_id = assignments.line_id));
create policy covered on comments as restrictive for select to {reader}
  using (exists (select from lines l where l.tenant = comments.tenant and l.line_id = comments.line_id));
create policy covered on order_lines as restrictive for select to {reader}
  using (exists (select from orders o where o.tenant = order_lines.tenant and o.order_id = order_lines.order_id));
create policy covered on order_updates as restrictive for select to {reader}
  using (exists (select from orders o where o.tenant = order_updates.tenant and o.order_id = order_updates.order_id));
-- `changed` names nothing: it says how much changed, and to look again.
create policy covered on live_events as restrictive for select to {reader} using (case
  when event = 'changed' then true
  when event = 'order' then exists (select from orders o where o.tenant = live_events.tenant and o.order_id = data->>'order_id')
  when event = 'exception' then exists (select from exceptions e
    where e.tenant = live_events.tenant and e.exception_id = data->>'exception_id')
  when data ? 'line_id' then exists (select from lines l where l.tenant = live_events.tenant and l.line_id = data->>'line_id')
  else exists (select from outcomes o
    where o.tenant = live_events.tenant and o.sku = data->>'sku' and o.location = data->>'location')
  end);

drop function limit_reading(text, text), of_category(text), of_supplier_of_item();

grant usage on schema {schema} to {reader};
-- Nothing beside: accounts, keys, webhooks, notices and the outbox do not exist for it.
grant select on lines, orders, exceptions, outcomes, forecasts, decisions, assignments, comments, order_lines, order_updates,
  live_events, live_heads, catalogue, models, signals, policies, checkpoints, runs, coverage to {reader};
