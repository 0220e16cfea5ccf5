-- How late it is at a location by the newest event known there, kept once a cut-off has passed by it.
create table location_clocks (
  tenant text not null,
  location text not null,
  seen_at timestamptz not null,
  primary key (tenant, location)
);
select protect('location_clocks');

-- The day a recommendation is to be ordered on: lines whose day is over are planned again.
alter table recommendations add column order_on date;
