-- What the other services said, in the shape the pages ask for. All of it can be dropped and is rebuilt from the topics.

-- Master data; `name`, `category` and `abc_class` stand beside the body because lists filter and sort by them.
create table catalogue (
  tenant text not null,
  kind text not null,
  identity text not null,
  defined_at timestamptz not null,
  active boolean not null,
  name text,
  category text,
  abc_class text,
  body jsonb not null,
  primary key (tenant, kind, identity)
);
select protect('catalogue');

-- The newest outcome of planning for every item: a recommendation, or why there is none.
create table outcomes (
  tenant text not null,
  sku text not null,
  location text not null,
  recommendation_id text not null,
  line_id text,
  origin date,
  on_hand numeric(16, 4),
  on_order numeric(16, 4),
  reserved numeric(16, 4),
  inventory_position numeric(16, 4),
  reorder_point numeric(16, 4),
  order_up_to numeric(16, 4),
  days_of_cover double precision,
  withheld_reason text,
  withheld_says text,
  forecast_id text,
  policy_version integer,
  primary key (tenant, sku, location)
);
create index outcomes_by_location on outcomes (tenant, location, origin);
select protect('outcomes');

-- One row per need (`line_id`): its newest recommendation, and the status that follows from its decisions and orders.
create table lines (
  tenant text not null,
  line_id text not null,
  recommendation_id text not null,
  run_id text,
  sku text not null,
  location text not null,
  action text not null,
  origin date not null,
  issued_at timestamptz not null,
  supplier text,
  from_location text,
  unit text not null,
  quantity numeric(16, 4) not null,
  unit_cost numeric(16, 4) not null,
  value numeric(16, 4) not null,
  currency text not null,
  order_on date not null,
  arrive_on date not null,
  moq numeric(16, 4),
  pack numeric(16, 4),
  on_hand numeric(16, 4) not null,
  on_order numeric(16, 4) not null,
  reserved numeric(16, 4) not null,
  inventory_position numeric(16, 4) not null,
  reorder_point numeric(16, 4) not null,
  order_up_to numeric(16, 4) not null,
  days_of_cover double precision,
  stockout_on date,
  stockout_probability double precision not null,
  money_at_risk numeric(16, 4) not null,
  rank_score double precision not null,
  confidence double precision not null,
  gmroi double precision,
  approved_by_rule boolean not null,
  route_reasons text[] not null,
  forecast_id text not null,
  policy_version integer not null,
  evidence_sha256 text not null,
  explanation text not null,
  steps jsonb not null,
  projection jsonb not null,
  withdrawn boolean not null default false,
  -- From the decisions, kept up to date by `stream` in the transaction that reads them.
  status text not null default 'pending',
  version integer not null default 0,
  decided_quantity numeric(16, 4),
  decided_value numeric(16, 4),
  decided_by text,
  decided_at timestamptz,
  decision_reason text,
  snoozed_until date,
  primary key (tenant, line_id)
);
create unique index lines_by_recommendation on lines (tenant, recommendation_id);
create index lines_by_item on lines (tenant, sku, location);
create index lines_by_rank on lines (tenant, status, rank_score desc, line_id);
select protect('lines');

create table decisions (
  tenant text not null,
  line_id text not null,
  version integer not null,
  decision_id text not null,
  recommendation_id text not null,
  sku text not null,
  location text not null,
  verdict text not null,
  status text not null,
  quantity_before numeric(16, 4) not null,
  quantity numeric(16, 4) not null,
  value numeric(16, 4) not null,
  currency text not null,
  decided_by text not null,
  role text not null,
  decided_at timestamptz not null,
  reason_code text,
  note text,
  snoozed_until date,
  limits jsonb not null,
  primary key (tenant, line_id, version)
);
create index decisions_by_recommendation on decisions (tenant, recommendation_id);
create index decisions_by_id on decisions (tenant, decision_id);
create index decisions_by_item on decisions (tenant, sku, location, decided_at desc);
create index decisions_by_time on decisions (tenant, decided_at);
select protect('decisions');

create table orders (
  tenant text not null,
  order_id text not null,
  kind text not null,
  supplier text,
  from_location text,
  location text not null,
  order_on date not null,
  arrive_on date not null,
  currency text not null,
  value numeric(16, 4) not null,
  released_at timestamptz not null,
  lines jsonb not null,
  primary key (tenant, order_id)
);
create index orders_by_release on orders (tenant, released_at desc, order_id);
select protect('orders');

-- Which line went out with which order; filled before or after its order and line are known.
create table order_lines (
  tenant text not null,
  recommendation_id text not null,
  order_id text not null,
  line_no integer not null,
  decision_id text not null,
  primary key (tenant, recommendation_id, order_id)
);
create index order_lines_by_decision on order_lines (tenant, decision_id);
select protect('order_lines');

-- What came back, and cancellations; the newest by its own time is the status of the order.
create table order_updates (
  tenant text not null,
  order_id text not null,
  event_id text not null,
  status text not null,
  updated_at timestamptz not null,
  lines jsonb not null,
  note text,
  primary key (tenant, order_id, event_id)
);
select protect('order_updates');

create table exceptions (
  tenant text not null,
  exception_id text not null,
  kind text not null,
  subject text not null,
  sku text,
  location text,
  supplier text,
  says text not null,
  remedy text not null,
  money_at_stake numeric(16, 4),
  owner text not null,
  raised_on date not null,
  details jsonb not null,
  resolved_on date,
  resolved_says text,
  primary key (tenant, exception_id)
);
create index exceptions_open on exceptions (tenant, money_at_stake desc nulls last, exception_id) where resolved_on is null;
create index exceptions_by_item on exceptions (tenant, sku, location);
select protect('exceptions');

create table forecasts (
  tenant text not null,
  sku text not null,
  location text not null,
  forecast_id text not null,
  origin date not null,
  strategy text not null,
  model_id text not null,
  window_from date,
  window_to date,
  confidence double precision not null,
  flags text[] not null,
  revision integer not null,
  recent_demand numeric(16, 4),
  mean_7 double precision not null,
  mean_28 double precision not null,
  low_28 double precision not null,
  high_28 double precision not null,
  demand jsonb not null,
  primary key (tenant, sku, location)
);
select protect('forecasts');

create table models (
  tenant text not null,
  segment text not null,
  model_id text not null,
  strategy text not null,
  promoted_at timestamptz not null,
  body jsonb not null,
  primary key (tenant, segment)
);
select protect('models');

create table signals (
  tenant text not null,
  signal_id text not null,
  kind text not null,
  sku text,
  location text,
  category text,
  supplier text,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  body jsonb not null,
  primary key (tenant, signal_id)
);
create index signals_by_item on signals (tenant, sku, location);
select protect('signals');

create table policies (
  tenant text not null,
  scope text not null,
  version integer not null,
  valid_from date not null,
  parameters jsonb not null,
  published_by text not null,
  published_at timestamptz not null,
  reason text not null,
  primary key (tenant, scope, version)
);
select protect('policies');

create table checkpoints (
  tenant text not null,
  log_id text not null,
  origin text not null,
  size bigint not null,
  root text not null,
  note text not null,
  signed_at timestamptz not null,
  primary key (tenant, log_id)
);
select protect('checkpoints');

-- Planning runs as seen from their outcomes.
create table runs (
  tenant text not null,
  run_id text not null,
  origin date,
  proposed integer not null,
  withheld integer not null,
  finished_at timestamptz not null,
  primary key (tenant, run_id)
);
select protect('runs');

-- What open pages are told. One head row per tenant hands out the numbers under its lock, so that they commit in order
-- and a reader behind a number misses nothing. Bounded: a page that was away longer loads afresh.
create table live_heads (
  tenant text primary key,
  last_seq bigint not null
);
select protect('live_heads');

create table live_events (
  tenant text not null,
  seq bigint not null,
  event text not null,
  data jsonb not null,
  primary key (tenant, seq)
);
select protect('live_events');
