-- The approval matrix: its versions, proposals to change it, who owns what, and what that means for each waiting line.

alter table lines
  add column snoozed_quantity numeric(16,4),
  add column snoozed_stockout_on date,
  add column wakes_on text,
  add column keep_until date,
  add column owner text not null default 'planner',
  add column pending_since timestamptz,
  add column due_at timestamptz,
  add column escalate_to text,
  add column escalated boolean not null default false;
create index lines_due on lines (tenant, due_at) where state in ('pending', 'awaiting_second') and not escalated;
create index recommendations_of_supplier on recommendations (tenant, supplier, order_on);

-- Which rules asked for the consent that was given, under which version of the matrix.
alter table decisions
  add column asked_by text[] not null default '{}',
  add column matrix_version integer not null default 0,
  add constraint two_sign_where_two_are_asked check (
    verdict not in ('approved', 'amended') or not needs_second or second_signer is not null);

-- Versions in force once published; the newest counts. Rows are added, never changed.
create table matrices (
  tenant text not null,
  version integer not null check (version >= 1),
  document jsonb not null,
  proposed_by text not null,
  approved_by text not null,
  published_at timestamptz not null,
  primary key (tenant, version)
);
select protect('matrices');
revoke update, delete on matrices from {app};

-- A change somebody wants. Nobody puts their own proposal in force: the database says it too.
create table matrix_proposals (
  tenant text not null,
  proposal_id text not null,
  base_version integer not null,
  document jsonb not null,
  reason text not null,
  proposed_by text not null,
  proposed_at timestamptz not null,
  state text not null check (state in ('open', 'published', 'declined', 'withdrawn')),
  decided_by text,
  decided_at timestamptz,
  primary key (tenant, proposal_id),
  constraint another_person_puts_it_in_force check (state <> 'published' or decided_by <> proposed_by),
  constraint ends_by_somebody check ((state = 'open') = (decided_by is null))
);
create index matrix_proposals_newest on matrix_proposals (tenant, proposed_at desc);
select protect('matrix_proposals');

-- From the catalogue: who answers for which suppliers, categories and locations, and which category an item is in.
create table owner_scopes (
  tenant text not null,
  owner text not null,
  suppliers text[] not null,
  categories text[] not null,
  locations text[] not null,
  defined_at timestamptz not null,
  primary key (tenant, owner)
);
select protect('owner_scopes');

create table item_categories (
  tenant text not null,
  sku text not null,
  category text,
  defined_at timestamptz not null,
  primary key (tenant, sku)
);
select protect('item_categories');
