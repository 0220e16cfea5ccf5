-- Supply that comes from another location leaves that location: until it has, it is promised there.
alter table supply add column from_location text;
create index supply_leaving on supply (tenant, from_location, sku) where from_location is not null;
