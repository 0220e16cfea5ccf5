-- What of a run is still to be planned, cut by keys: whoever is free takes a chunk, plans it and deletes it in one transaction.
-- The last chunk has no end: what comes while the run goes on is planned with it.
create table run_chunks (
  tenant text not null,
  run_id text not null,
  number integer not null,
  after_sku text not null,
  after_location text not null,
  upto_sku text,
  upto_location text,
  primary key (tenant, run_id, number)
);
select protect('run_chunks');

-- Runs that an earlier version had under way begin again; what they planned already is not published a second time.
alter table runs no force row level security;
update runs set rationed_at = null, done = 0, proposed = 0, withheld = 0, published = 0 where state = 'running';
alter table runs force row level security;
alter table runs alter column cursor_sku set default '', alter column cursor_location set default '';

-- A published document is large and soon deleted: to compress it would cost more than writing it.
alter table outbox alter column value set storage external;
