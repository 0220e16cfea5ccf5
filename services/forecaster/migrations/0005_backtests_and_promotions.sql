-- Back-tests that people asked for: what, how far, and what came out. Kept, so that a link to one keeps working.
create table backtests (
  tenant text not null,
  backtest_id text not null,
  request jsonb not null,
  state text not null check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  stage text not null,
  share real not null,
  requested_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  result jsonb,
  error text,
  primary key (tenant, backtest_id)
);
create index backtests_open on backtests (tenant, created_at) where state in ('queued', 'running');
select protect('backtests');

-- A trained model may wait for a person, or be turned down.
alter table models drop constraint models_state_check;
alter table models add constraint models_state_check check (state in ('champion', 'retired', 'waiting', 'rejected'));

-- What became of every trained model, and why: the history of promotions.
create table promotions (
  tenant text not null,
  seq bigint generated always as identity,
  model_id text not null,
  verdict text not null check (verdict in ('promoted', 'kept_champion', 'waiting', 'rejected')),
  champion_id text,
  reason text not null,
  decided_by text not null,
  decided_at timestamptz not null,
  primary key (tenant, seq)
);
select protect('promotions');
insert into promotions (tenant, model_id, verdict, reason, decided_by, decided_at)
  select tenant, model_id, 'promoted', reason, 'rules', promoted_at from models order by promoted_at;
