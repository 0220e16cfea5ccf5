-- Lines beside an item's own order: changes of open orders, transfers, substitutes. One per item and what it is about.
create table lines_beside (
  tenant text not null,
  sku text not null,
  location text not null,
  kind text not null,
  code text not null,
  as_of date not null,
  recommendation_id text not null,
  line_id text not null,
  signature text,
  is_open boolean not null,
  hold_reason text,
  hold_until date,
  primary key (tenant, sku, location, kind, code)
);
create index lines_beside_by_recommendation on lines_beside (tenant, recommendation_id);
select protect('lines_beside');

alter table recommendations add column action text not null default 'buy';
-- What the line is about: the order it changes, the location it takes from.
alter table recommendations add column about text;

-- A change of an open order counts from its approval on, as an order does; these lie over what was ordered and confirmed until
-- the other side has answered.
alter table supply add column change_id text;
alter table supply add column change_order_id text;
alter table supply add column change_quantity numeric(16,4);
alter table supply add column change_arrive_on date;
create index supply_changes on supply (tenant, change_id) where change_id is not null;
create index supply_change_orders on supply (tenant, change_order_id) where change_order_id is not null;
