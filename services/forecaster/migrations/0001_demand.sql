-- What the forecaster owns: daily demand per item, closed days, the work that is due, models and forecasts.
-- Every key starts with the tenant; every table stands behind the tenant wall.

create table catalogue_items (
  tenant text not null,
  sku text not null,
  category text,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, sku)
);
select protect('catalogue_items');

create table catalogue_locations (
  tenant text not null,
  location text not null,
  time_zone text not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, location)
);
select protect('catalogue_locations');

-- Other codes for items and locations. `code` is unique per subject for us: events do not say the scheme they use.
create table catalogue_aliases (
  tenant text not null,
  subject text not null,
  code text not null,
  target text not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, subject, code)
);
select protect('catalogue_aliases');

-- Item-locations with any record. `partition` is that of the sales topic, so that a close of one partition finds its items.
create table items (
  tenant text not null,
  sku text not null,
  location text not null,
  partition integer not null,
  first_on date not null,
  primary key (tenant, sku, location)
);
create index items_by_closing on items (tenant, location, partition);
select protect('items');

-- Demand in stocking units: sold less voided. Returns are kept beside it: goods that come back are supply, not the
-- absence of demand. `revision` counts events that arrived after the day was closed; `censored` marks a day on which
-- stock ran out, so that sales are only a lower bound of demand.
create table daily_demand (
  tenant text not null,
  sku text not null,
  location text not null,
  business_date date not null,
  quantity numeric not null default 0,
  returned numeric not null default 0,
  restocked numeric not null default 0,
  promoted numeric not null default 0,
  revision integer not null default 0,
  censored boolean not null default false,
  primary key (tenant, sku, location, business_date)
);
select protect('daily_demand');

-- Net movement of the stock topic by day (sales are in daily_demand), and the last count of a day.
create table stock_days (
  tenant text not null,
  sku text not null,
  location text not null,
  business_date date not null,
  net numeric not null,
  primary key (tenant, sku, location, business_date)
);
select protect('stock_days');

create table stock_counts (
  tenant text not null,
  sku text not null,
  location text not null,
  business_date date not null,
  quantity numeric not null,
  counted_at timestamptz not null,
  at_opening boolean not null,
  primary key (tenant, sku, location, business_date)
);
select protect('stock_counts');

-- Last closed business day. Partition -1 stands for a close of the whole location.
create table closed_days (
  tenant text not null,
  location text not null,
  partition integer not null,
  business_date date not null,
  closed_at timestamptz not null,
  primary key (tenant, location, partition)
);
select protect('closed_days');

-- Forecasts to make: for all items of a closing, or (item due) for one corrected item. A newer cause replaces an older
-- one that was not worked on yet, so a replay of a year does not publish a year of forecasts.
create table due_closings (
  tenant text not null,
  location text not null,
  partition integer not null,
  cause text not null,
  cause_at timestamptz not null,
  seq bigint generated always as identity,
  primary key (tenant, location, partition)
);
select protect('due_closings');

create table due_items (
  tenant text not null,
  sku text not null,
  location text not null,
  cause text not null,
  cause_at timestamptz not null,
  seq bigint generated always as identity,
  primary key (tenant, sku, location)
);
select protect('due_items');

create table models (
  tenant text not null,
  model_id text not null,
  segment text not null,
  strategy text not null,
  state text not null check (state in ('champion', 'retired')),
  window_from date not null,
  window_to date not null,
  artefact_sha256 text not null,
  metrics jsonb not null,
  reason text not null,
  promoted_at timestamptz not null,
  primary key (tenant, model_id)
);
create unique index models_one_champion on models (tenant, segment) where state = 'champion';
select protect('models');

create table train_jobs (
  tenant text not null,
  job_id text not null,
  state text not null check (state in ('queued', 'running', 'done', 'failed')),
  stage text not null,
  share real not null,
  requested_by text not null,
  model_id text,
  error text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, job_id)
);
create unique index train_jobs_one_open on train_jobs (tenant) where state in ('queued', 'running');
select protect('train_jobs');

-- The last forecast of every item, as published.
create table forecasts (
  tenant text not null,
  sku text not null,
  location text not null,
  forecast_id text not null,
  origin date not null,
  model_id text not null,
  strategy text not null,
  body text not null,
  issued_at timestamptz not null,
  primary key (tenant, sku, location)
);
select protect('forecasts');
