-- Which strategy a planner wants for an item or a class of items; null parts of the scope mean "all of them".
create table strategy_pins (
  tenant text not null,
  pin_id text not null,
  strategy text not null,
  sku text,
  location text,
  category text,
  abc_class text,
  reason text not null,
  note text,
  set_by text not null,
  set_at timestamptz not null,
  withdrawn_by text,
  withdrawn_at timestamptz,
  primary key (tenant, pin_id),
  check (coalesce(sku, location, category, abc_class) is not null)
);
create index strategy_pins_held on strategy_pins (tenant, set_at) where withdrawn_at is null;
select protect('strategy_pins');

-- Which strategy speaks for which class of demand beside the model, and the back-test that says so.
alter table models add column choice jsonb not null default '{}';
