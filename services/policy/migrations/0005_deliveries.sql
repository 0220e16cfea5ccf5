-- When a supplier's orders came to a location: what lead times are learned from. Either side may be heard of first, the order
-- (supplier, dates) or its receipt; a row teaches once both are known.
create table deliveries (
  tenant text not null,
  order_id text not null,
  location text not null,
  supplier text,
  ordered_on date,
  promised_on date,
  confirmed_on date,
  received_on date,
  primary key (tenant, order_id, location)
);
create index deliveries_of_supplier on deliveries (tenant, supplier, location, received_on desc)
  where supplier is not null and received_on is not null;
select protect('deliveries');
