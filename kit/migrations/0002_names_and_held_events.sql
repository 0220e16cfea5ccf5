-- What codes mean, for the services that read codes of the outside world; and what is kept of events that are held up.

-- Facts about codes, told once and never changed or taken away. Scheme 'own': the code is itself an item, a location …
-- `valid_from` is the first business day (null: always), `told_at_ms` the broker's time of the record that told it.
create table name_facts (
  tenant text not null,
  subject text not null,
  code text not null,
  scheme text not null,
  supplier text not null,
  target text not null,
  active boolean not null,
  valid_from date,
  defined_at timestamptz not null,
  told_at_ms bigint not null,
  event_hash uuid not null,
  primary key (tenant, subject, code, scheme, supplier, event_hash)
);
select protect('name_facts');

-- Changes whenever a fact is added, so that every process of the service sees that its memory is out of date. From a
-- sequence: a number that was rolled back is never seen again with another meaning.
create sequence name_versions_drawn;
create table name_versions (
  tenant text not null primary key,
  version bigint not null
);
select protect('name_versions');

-- Parked events a person has taken out for good, with the reason. Read again by a rebuild, they stay out.
create table dropped_events (
  tenant text not null,
  event_hash uuid not null,
  record_key text not null,
  topic text not null,
  headers bytea not null,
  value bytea not null,
  reason text not null,
  dropped_by text not null,
  dropped_at timestamptz not null default clock_timestamp(),
  primary key (tenant, event_hash)
);
select protect('dropped_events');

-- This service's dead letters, to be looked at, replayed or dropped; the topic's `.dead` twin carries the same.
create table dead_letters (
  tenant text not null,
  letter_id uuid not null,
  seq bigint generated always as identity,
  topic text not null,
  partition integer not null,
  record_offset bigint not null,
  record_key text not null,
  headers bytea not null,
  value bytea not null,
  stored_at_ms bigint not null,
  code text not null,
  detail text not null,
  field text not null,
  attempts integer not null default 1,
  state text not null default 'waiting' check (state in ('waiting', 'replayed', 'dropped')),
  settled_by text,
  settled_reason text,
  settled_at timestamptz,
  died_at timestamptz not null default clock_timestamp(),
  primary key (tenant, letter_id)
);
create index dead_letters_by_state on dead_letters (tenant, state, seq);
select protect('dead_letters');
