-- Stock positions (the sum of a movement ledger), what is known of items, supply on its way, and the plans made from it.
-- Every key begins with tenant and item, so that rows of one item lie together and can be spread over databases.

-- One row per movement event. `quantity` is what the event said; on_hand, reserved and backorders are what it did.
-- The key is the dedupe: a movement delivered again is not booked again.
create table ledger (
  tenant text not null,
  sku text not null,
  location text not null,
  event_hash uuid not null,
  kind text not null,
  quantity numeric(16,4) not null,
  on_hand numeric(16,4) not null,
  reserved numeric(16,4) not null,
  backorders numeric(16,4) not null,
  occurred_at timestamptz not null,
  business_date date not null,
  order_id text,
  primary key (tenant, sku, location, event_hash)
);
create index ledger_of_order on ledger (tenant, order_id) where order_id is not null;
select protect('ledger');

-- on_hand, reserved, backorders = sum of the ledger; movements = its row count (the watermark of a plan).
-- replan_below / replan_at_or_above: available stock at which the item's plan may change; one comparison per batch.
create table positions (
  tenant text not null,
  sku text not null,
  location text not null,
  on_hand numeric(16,4) not null,
  reserved numeric(16,4) not null,
  backorders numeric(16,4) not null,
  movements bigint not null,
  moved_at timestamptz not null,
  counted_at timestamptz,
  replan_below numeric(16,4),
  replan_at_or_above numeric(16,4),
  primary key (tenant, sku, location)
) with (fillfactor = 80);
select protect('positions');

create table closed_days (
  tenant text not null,
  location text not null,
  closed_on date not null,
  closed_at timestamptz not null default clock_timestamp(),
  planned_on date,
  primary key (tenant, location)
);
select protect('closed_days');

create table products (
  tenant text not null,
  sku text not null,
  name text not null,
  unit text not null,
  category text,
  price numeric(16,4),
  currency text,
  shelf_life_days integer,
  abc_class text,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, sku)
);
select protect('products');

create table locations (
  tenant text not null,
  location text not null,
  name text not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, location)
);
select protect('locations');

create table suppliers (
  tenant text not null,
  supplier text not null,
  name text not null,
  order_weekdays integer[] not null,
  receipt_weekdays integer[] not null,
  closed_on date[] not null,
  currency text,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, supplier)
);
select protect('suppliers');

-- location '*': terms for every location that has none of its own.
create table supplier_items (
  tenant text not null,
  sku text not null,
  location text not null,
  supplier text not null,
  lead_time_days integer,
  lead_time_sd_days double precision not null,
  unit_cost numeric(16,4),
  currency text,
  moq numeric(16,4),
  pack numeric(16,4),
  price_breaks jsonb not null,
  discount text not null,
  priority integer not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, sku, location, supplier)
);
select protect('supplier_items');

create table aliases (
  tenant text not null,
  subject text not null,
  code text not null,
  scheme text not null,
  target text not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, subject, code, scheme)
);
select protect('aliases');

-- The newest forecast of each item; the distribution as little-endian 64-bit integers, ready for the arithmetic.
create table forecasts (
  tenant text not null,
  sku text not null,
  location text not null,
  forecast_id text not null,
  origin date not null,
  revision integer not null,
  confidence numeric(8,6) not null,
  flags text[] not null,
  strategy text not null,
  model_id text not null,
  mean_e4 bytea not null,
  quantiles_e2 bytea not null,
  primary key (tenant, sku, location)
);
create index forecasts_of_location on forecasts (tenant, location, origin);
select protect('forecasts');

create table policies (
  tenant text not null,
  scope text not null,
  version integer not null,
  valid_from date not null,
  parameters jsonb not null,
  published_by text not null,
  reason text not null,
  primary key (tenant, scope, version)
);
select protect('policies');

-- Supply on its way, from the approval on: one row per recommendation that was approved.
create table supply (
  tenant text not null,
  sku text not null,
  location text not null,
  recommendation_id text not null,
  order_id text,
  quantity numeric(16,4) not null,
  confirmed numeric(16,4),
  arrive_on date not null,
  status text not null check (status in ('approved', 'released', 'acknowledged', 'confirmed', 'shipped', 'received', 'failed', 'cancelled')),
  primary key (tenant, sku, location, recommendation_id)
);
create index supply_of_order on supply (tenant, order_id);
select protect('supply');

-- What the last plan of each item said.
create table plans (
  tenant text not null,
  sku text not null,
  location text not null,
  as_of date,
  run_id text,
  outcome text not null check (outcome in ('recommended', 'withheld', 'none')),
  reason text,
  recommendation_id text,
  line_id text,
  is_open boolean not null,
  signature text,
  quantity numeric(16,4),
  reorder_point numeric(16,4),
  order_up_to numeric(16,4),
  hold_reason text,
  hold_until date,
  primary key (tenant, sku, location)
);
create index plans_of_recommendation on plans (tenant, recommendation_id);
select protect('plans');

-- Every recommendation published, as published: the evidence for derive.
create table recommendations (
  tenant text not null,
  recommendation_id text not null,
  sku text not null,
  location text not null,
  line_id text not null,
  arrive_on date not null,
  quantity numeric(16,4) not null,
  document bytea not null,
  primary key (tenant, recommendation_id)
);
select protect('recommendations');

-- One run per business date and scope; the cursor makes it resumable.
create table runs (
  tenant text not null,
  run_id text not null,
  scope text not null,
  business_date date not null,
  state text not null check (state in ('running', 'finished')),
  attempt integer not null,
  requested_by text not null,
  items integer not null,
  done integer not null,
  proposed integer not null,
  withheld integer not null,
  published integer not null,
  cursor_sku text not null,
  cursor_location text not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  primary key (tenant, run_id),
  unique (tenant, scope, business_date)
);
select protect('runs');

create table open_exceptions (
  tenant text not null,
  exception_id text not null,
  kind text not null,
  subject text not null,
  primary key (tenant, exception_id)
);
select protect('open_exceptions');
