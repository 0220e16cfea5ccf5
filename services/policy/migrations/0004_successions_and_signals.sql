-- Which product replaces which, which may stand in for which, and what may change demand or supply for a while.
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

create table substitutes (
  tenant text not null,
  sku text not null,
  substitute text not null,
  ratio numeric(16,4) not null,
  rank integer not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, sku, substitute)
);
select protect('substitutes');

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

create table channels (
  tenant text not null,
  channel text not null,
  name text not null,
  active boolean not null,
  defined_at timestamptz not null,
  primary key (tenant, channel)
);
select protect('channels');
