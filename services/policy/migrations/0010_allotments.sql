-- What scarce resources let each item have on a business date; and what of them approved orders have taken.
create table allotments (
  tenant text not null,
  sku text not null,
  location text not null,
  business_date date not null,
  quantity numeric(16,4) not null,
  resource text not null,
  shadow_price numeric(16,4) not null,
  rank integer not null,
  cash numeric(18,4) not null,
  volume_m3 numeric(18,4) not null,
  supplier text,
  primary key (tenant, sku, location)
);
select protect('allotments');

-- The business date whose budget a recommendation draws on.
alter table recommendations add column budget_date date;
alter table recommendations add column value numeric(16,4);
alter table recommendations add column supplier text;
create index recommendations_of_day on recommendations (tenant, budget_date) where action = 'buy';

-- Null: the run has not looked at what is scarce yet.
alter table runs add column rationed_at timestamptz;
-- What was dealt out: of each resource how much there was, was used and would still earn; and the bound of the choice.
alter table runs add column scarce jsonb;

alter table products add column volume_m3 numeric(16,6);
alter table suppliers add column minimum_order_value numeric(16,4);
alter table suppliers add column truck_volume_m3 numeric(16,4);
