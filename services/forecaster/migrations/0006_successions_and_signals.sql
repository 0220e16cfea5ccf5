-- Which product replaces which: demand history is read as if it were the successor's, and stays where it was booked.
create table successions (
  tenant text not null,
  predecessor text not null,
  successor text not null,
  effective_on date not null,
  ratio numeric(16,4) not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, predecessor)
);
select protect('successions');

-- Promotions, price changes and other signals; an absent part of the scope means all.
create table signals (
  tenant text not null,
  signal_id text not null,
  kind text not null,
  sku text,
  location text,
  category text,
  supplier text,
  strength double precision not null,
  probability numeric(8,6) not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  advisory boolean not null,
  told_at timestamptz not null,
  primary key (tenant, signal_id)
);
create index signals_by_time on signals (tenant, ends_at);
select protect('signals');
