-- What is bought as a substitute is for the customers of another product: it covers what that one lacks, not its own need.
alter table supply add column stands_in_for text;
create index supply_standing_in on supply (tenant, stands_in_for, location) where stands_in_for is not null;
create index lines_beside_standing_in on lines_beside (tenant, code, location) where kind = 'substitute';
