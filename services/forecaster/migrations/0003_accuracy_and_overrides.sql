-- The accuracy ledger: what each forecast promised, and how it turned out once the days it speaks of were closed.

-- Lead times by supplier and item, so that accuracy can be told at the lead time an order really takes. Location '' = all.
create table supply_terms (
  tenant text not null,
  sku text not null,
  location text not null,
  supplier text not null,
  lead_time_days integer,
  priority integer not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, sku, location, supplier)
);
select protect('supply_terms');

alter table catalogue_items add column abc_class text;

-- One row per item, origin and horizon, until it is scored. `expected` and the quantiles are of the demand of the
-- `horizon_days` after `origin`, as published; `model_expected` is the same before a person changed it; `naive` repeats
-- the last week. In stocking units.
create table promises (
  tenant text not null,
  sku text not null,
  location text not null,
  origin date not null,
  horizon_days integer not null,
  due_on date not null,
  at_lead_time boolean not null,
  model_id text not null,
  strategy text not null,
  expected numeric not null,
  model_expected numeric not null,
  naive numeric not null,
  q10 numeric not null,
  q50 numeric not null,
  q90 numeric not null,
  q95 numeric not null,
  q99 numeric not null,
  override_ids text[] not null default '{}',
  primary key (tenant, sku, location, origin, horizon_days)
);
create index promises_due on promises (tenant, due_on);
select protect('promises');

-- Sums of scored promises, by item and month of the last day they speak of. `hidden` windows held a stock-out day: what
-- would have sold is not known, so they are counted and nothing else.
create table scores (
  tenant text not null,
  month date not null,
  sku text not null,
  location text not null,
  model_id text not null,
  strategy text not null,
  horizon_days integer not null,
  at_lead_time boolean not null,
  windows integer not null,
  hidden integer not null,
  actual numeric not null,
  expected numeric not null,
  model_expected numeric not null,
  absolute_error numeric not null,
  model_absolute_error numeric not null,
  naive_absolute_error numeric not null,
  loss_q10 numeric not null,
  loss_q50 numeric not null,
  loss_q90 numeric not null,
  loss_q95 numeric not null,
  loss_q99 numeric not null,
  below_q10 integer not null,
  below_q50 integer not null,
  below_q90 integer not null,
  below_q95 integer not null,
  below_q99 integer not null,
  primary key (tenant, month, sku, location, model_id, horizon_days, at_lead_time)
);
create index scores_by_item on scores (tenant, sku, location);
select protect('scores');

-- The same sums by day and location, for drift and for the line over time.
create table score_days (
  tenant text not null,
  due_on date not null,
  location text not null,
  model_id text not null,
  strategy text not null,
  horizon_days integer not null,
  at_lead_time boolean not null,
  windows integer not null,
  hidden integer not null,
  actual numeric not null,
  expected numeric not null,
  model_expected numeric not null,
  absolute_error numeric not null,
  model_absolute_error numeric not null,
  naive_absolute_error numeric not null,
  loss_q10 numeric not null,
  loss_q50 numeric not null,
  loss_q90 numeric not null,
  loss_q95 numeric not null,
  loss_q99 numeric not null,
  below_q10 integer not null,
  below_q50 integer not null,
  below_q90 integer not null,
  below_q95 integer not null,
  below_q99 integer not null,
  primary key (tenant, due_on, location, model_id, horizon_days, at_lead_time)
);
select protect('score_days');

-- Drift that was seen, and when it went away. One open row per rule.
create table drift_flags (
  tenant text not null,
  rule text not null,
  exception_id text not null,
  model_id text not null,
  raised_on date not null,
  resolved_on date,
  says text not null,
  value double precision not null,
  limit_value double precision not null,
  primary key (tenant, exception_id)
);
create unique index drift_flags_one_open on drift_flags (tenant, rule) where resolved_on is null;
select protect('drift_flags');

-- What people did to forecasts. `units` for the whole period and all items of the scope; null parts mean "all of them".
-- An override ends by being withdrawn, by its expiry (no forecast from an origin on or after it uses it), or when its period is over.
create table overrides (
  tenant text not null,
  override_id text not null,
  kind text not null check (kind in ('add', 'replace')),
  sku text,
  location text,
  category text,
  from_on date not null,
  to_on date not null check (to_on >= from_on),
  units numeric not null,
  reason text not null,
  note text,
  expires_on date not null,
  created_by text not null,
  created_at timestamptz not null,
  withdrawn_by text,
  withdrawn_at timestamptz,
  primary key (tenant, override_id)
);
create index overrides_by_period on overrides (tenant, to_on);
select protect('overrides');

-- How an override turned out: errors with it and without it, over the scored windows it had a part in.
create table override_scores (
  tenant text not null,
  override_id text not null,
  horizon_days integer not null,
  windows integer not null,
  actual numeric not null,
  absolute_error numeric not null,
  model_absolute_error numeric not null,
  primary key (tenant, override_id, horizon_days)
);
select protect('override_scores');
