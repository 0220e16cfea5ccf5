-- What every service's schema holds beside its own tables. {app} is the service's role, {relay} what its outbox relay becomes.
-- The owner role owns all of it; the service's role owns nothing and cannot truncate.

-- Puts a table behind the tenant wall: rows of other tenants do not exist for this transaction.
create function protect(target regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  -- As a sub-select it is evaluated once for a statement, not once for a row.
  execute format('create policy tenant_wall on %s using (tenant = (select nullif(current_setting(''app.tenant'', true), '''')))'
                 ' with check (tenant = (select nullif(current_setting(''app.tenant'', true), '''')))', target);
end $$;

-- Tenants this service has seen: jobs that run by the clock go through them one by one.
create table tenants (
  tenant text primary key,
  first_seen_at timestamptz not null default clock_timestamp()
);

-- The next offset to read, per partition: the truth; Kafka's group offsets are a hint.
create table consumed_positions (
  topic text not null,
  partition integer not null,
  next_offset bigint not null,
  primary key (topic, partition)
);

-- Events already handled: 16 bytes for (source, id), 8 bytes of their content.
create table inbox (
  tenant text not null,
  event_hash uuid not null,
  digest bigint not null,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (tenant, event_hash)
);
select protect('inbox');

-- What this service wants to say, in the order it decided to say it.
create table outbox (
  seq bigint generated always as identity primary key,
  tenant text not null,
  event_id uuid not null,
  topic text not null,
  record_key text not null,
  headers bytea not null,
  value bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz,
  unique (tenant, event_id, topic)
);
create index outbox_waiting on outbox (seq) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;
select protect('outbox');
create policy relay_sees_all on outbox to {relay} using (true) with check (true);

-- Up to where the relay knows what it published: what lies behind is looked at before anything is sent again.
create table relay_positions (
  topic text not null,
  partition integer not null,
  next_offset bigint not null,
  primary key (topic, partition)
);

-- Events that wait for a person to say what they mean, and the later events of their key, in order.
create table parked_events (
  tenant text not null,
  record_key text not null,
  seq bigint generated always as identity,
  event_hash uuid not null,
  reason text not null,
  topic text not null,
  partition integer not null,
  record_offset bigint not null,
  headers bytea not null,
  value bytea not null,
  stored_at_ms bigint not null,
  parked_at timestamptz not null default clock_timestamp(),
  primary key (tenant, record_key, seq),
  unique (tenant, event_hash)
);
select protect('parked_events');

grant usage on schema {schema} to {relay};
grant select, update, delete on outbox to {relay};
grant select, insert, update on relay_positions to {relay};
