-- Which ABC x XYZ class each item is in, and what of its demand was met: computed once per business date, at its first run.
create table item_classes (
  tenant text not null,
  sku text not null,
  location text not null,
  abc_class text not null,
  xyz_class text not null,
  value numeric(20,4) not null,
  mean_units numeric(16,4) not null,
  sd_units numeric(16,4) not null,
  asked_units numeric(20,4) not null,
  served_units numeric(20,4) not null,
  days_in_stock integer not null,
  days_out integer not null,
  primary key (tenant, sku, location)
);
select protect('item_classes');

create table classified (
  tenant text not null primary key,
  first_day date,
  last_day date
);
select protect('classified');

-- The days of a window lie together, as the ledger grows with time: a thousandth of a tree, and nearly free to keep.
create index ledger_by_day on ledger using brin (business_date) with (pages_per_range = 32);
