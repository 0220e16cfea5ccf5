-- The queue, the decisions and the orders. Money and quantities: numeric(16,4), as the contracts carry them.
-- What the rules say in services/approvals/domain is said again here where SQL can say it: a second line of defence
-- against code that is wrong, and against statements that do not come from our code at all.

-- Every version of every recommendation that arrived, once.
create table recommendations (
  tenant text not null,
  recommendation_id text not null,
  line_id text not null,
  arrived bigint generated always as identity,
  place text not null check (place in ('current', 'superseded', 'behind', 'too_late')),
  action text not null,
  origin date not null,
  sku text not null,
  location text not null,
  quantity numeric(16,4) not null check (quantity > 0),
  unit text not null,
  unit_cost numeric(16,4) not null check (unit_cost >= 0),
  value numeric(16,4) not null check (value >= 0),
  currency text not null,
  order_on date not null,
  arrive_on date not null,
  money_at_risk numeric(16,4) not null,
  approved_by_rule boolean not null,
  supersedes text,
  supplier text,
  from_location text,
  moq numeric(16,4),
  pack numeric(16,4),
  stockout_on date,
  route_reasons text[] not null,
  received_at timestamptz not null default clock_timestamp(),
  primary key (tenant, recommendation_id)
);
create index recommendations_of_line on recommendations (tenant, line_id, arrived);
select protect('recommendations');

-- The newest state of each line; `version` counts the decisions made on it.
create table lines (
  tenant text not null,
  line_id text not null,
  version integer not null check (version >= 0),
  state text not null check (state in ('pending', 'awaiting_second', 'snoozed', 'by_rule', 'approved', 'amended',
                                       'rejected', 'expired', 'released', 'cancelled', 'closed')),
  recommendation_id text not null,
  location text not null,
  quantity numeric(16,4) not null check (quantity > 0),
  value numeric(16,4) not null check (value >= 0),
  rank_score numeric(20,4) not null,
  first_signer text,
  second_signer text,
  amended_by text,
  needs_second boolean not null,
  by_rule boolean not null,
  snoozed_until date,
  undo_until timestamptz,
  decision_id text,
  order_id text,
  last_verdict text,
  last_by text,
  last_at timestamptz,
  primary key (tenant, line_id),
  foreign key (tenant, recommendation_id) references recommendations (tenant, recommendation_id),
  constraint second_signer_is_another_person check (second_signer <> first_signer and second_signer <> amended_by),
  constraint what_leaves_is_authorised check (
    state in ('pending', 'awaiting_second', 'snoozed', 'rejected', 'expired')
    or decision_id is not null and (
      by_rule and first_signer is null
      or first_signer is not null and (not needs_second or second_signer is not null))),
  constraint what_left_has_an_order check ((state in ('released', 'cancelled', 'closed')) = (order_id is not null)),
  constraint snooze_has_an_end check (state <> 'snoozed' or snoozed_until is not null),
  constraint hold_has_an_end check (state not in ('by_rule', 'approved', 'amended') or undo_until is not null)
);
create index lines_ranked on lines (tenant, state, (-rank_score), line_id);
create index lines_held on lines (tenant, undo_until) where state in ('by_rule', 'approved', 'amended');
create index lines_waiting on lines (tenant, location) where state in ('pending', 'awaiting_second', 'snoozed');
create index lines_of_order on lines (tenant, order_id) where order_id is not null;
select protect('lines');

-- What was decided, for ever: rows are added, never changed. One decision per version of a line.
create table decisions (
  tenant text not null,
  line_id text not null,
  version integer not null check (version >= 1),
  decision_id text not null,
  recommendation_id text not null,
  verdict text not null check (verdict in ('approved_by_rule', 'approved', 'first_signature', 'amended', 'rejected', 'snoozed',
                                           'returned', 'undone', 'escalated', 'expired', 'superseded', 'recalled')),
  allows_order boolean not null generated always as (verdict in ('approved_by_rule', 'approved', 'amended')) stored,
  quantity_before numeric(16,4) not null,
  quantity numeric(16,4) not null,
  value numeric(16,4) not null,
  decided_by text not null,
  role text not null,
  decided_at timestamptz not null,
  reason text,
  note text,
  snoozed_until date,
  rule_value_limit numeric(16,4) not null,
  second_signature_above numeric(16,4) not null,
  policy_version integer not null,
  needs_second boolean not null,
  first_signer text,
  second_signer text,
  amended_by text,
  primary key (tenant, line_id, version),
  unique (tenant, decision_id),
  unique (tenant, decision_id, recommendation_id, quantity, allows_order),
  foreign key (tenant, recommendation_id) references recommendations (tenant, recommendation_id),
  constraint second_signer_is_another_person check (second_signer <> first_signer and second_signer <> amended_by),
  constraint above_the_limit_two_sign check (
    verdict not in ('approved', 'amended')
    or first_signer is not null and (value <= second_signature_above or needs_second and second_signer is not null)),
  constraint by_rule_within_its_limit check (verdict <> 'approved_by_rule' or value <= rule_value_limit),
  constraint a_person_says_why check (verdict not in ('amended', 'rejected', 'recalled') or reason is not null)
);
create index decisions_of_recommendation on decisions (tenant, recommendation_id, version);
select protect('decisions');
revoke update, delete on decisions from {app};

create table orders (
  tenant text not null,
  order_id text not null check (order_id ~ '^[A-Za-z0-9_-]{1,64}$'),
  kind text not null check (kind in ('purchase_order', 'transfer', 'allocation', 'change', 'cancel')),
  status text not null check (status in ('released', 'acknowledged', 'confirmed', 'shipped', 'received', 'failed', 'cancelled')),
  supplier text,
  from_location text,
  location text not null,
  order_on date not null,
  arrive_on date not null,
  currency text not null,
  value numeric(18,4) not null,
  released_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, order_id)
);
create index orders_newest on orders (tenant, released_at desc, order_id);
select protect('orders');

-- A line of an order exists only through the decision that allows exactly this quantity of exactly this recommendation,
-- and each decision and recommendation is on one order at most.
create table order_lines (
  tenant text not null,
  order_id text not null,
  line_no integer not null check (line_no >= 1),
  line_id text not null,
  recommendation_id text not null,
  decision_id text not null,
  allows_order boolean not null default true check (allows_order),
  sku text not null,
  quantity numeric(16,4) not null check (quantity > 0),
  unit text not null,
  unit_cost numeric(16,4) not null,
  value numeric(16,4) not null,
  primary key (tenant, order_id, line_no),
  unique (tenant, decision_id),
  unique (tenant, recommendation_id),
  foreign key (tenant, order_id) references orders (tenant, order_id),
  foreign key (tenant, decision_id, recommendation_id, quantity, allows_order)
    references decisions (tenant, decision_id, recommendation_id, quantity, allows_order)
);
select protect('order_lines');
revoke update, delete on order_lines from {app};

-- The newest closed business day of each location, as recommendations tell it: event time, not the server's clock.
create table location_days (
  tenant text not null,
  location text not null,
  business_date date not null,
  primary key (tenant, location)
);
select protect('location_days');

-- The limits that hold now, from the published policy.
create table limits (
  tenant text not null,
  scope text not null,
  policy_version integer not null,
  rule_value_limit numeric(16,4),
  second_signature_above numeric(16,4),
  primary key (tenant, scope)
);
select protect('limits');

-- Answers already given, so that a request sent again gets the same one. `principal` and `route` are part of the key: one
-- person's answer is never another's.
create table answered_requests (
  tenant text not null,
  principal text not null,
  route text not null,
  idempotency_key text not null,
  body_sha256 text not null,
  status integer not null,
  answer text not null,
  etag text,
  answered_at timestamptz not null default clock_timestamp(),
  primary key (tenant, principal, route, idempotency_key)
);
create index answered_requests_old on answered_requests (answered_at);
select protect('answered_requests');
