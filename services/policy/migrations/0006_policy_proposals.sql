-- A change of the parameters somebody wants, with the effect its author was shown. Nobody puts their own proposal in force:
-- the database says it too.
create table policy_proposals (
  tenant text not null,
  proposal_id text not null,
  base_version integer not null,
  parameters jsonb not null,
  effect jsonb not null,
  reason text not null,
  proposed_by text not null,
  proposed_at timestamptz not null,
  state text not null check (state in ('open', 'published', 'declined', 'withdrawn')),
  decided_by text,
  decided_at timestamptz,
  version integer,
  primary key (tenant, proposal_id),
  constraint another_person_puts_it_in_force check (state <> 'published' or decided_by <> proposed_by),
  constraint ends_by_somebody check ((state = 'open') = (decided_by is null)),
  constraint is_a_version_once_published check ((state = 'published') = (version is not null))
);
create index policy_proposals_newest on policy_proposals (tenant, proposed_at desc);
select protect('policy_proposals');
