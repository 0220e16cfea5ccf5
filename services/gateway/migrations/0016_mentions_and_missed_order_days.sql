-- Whose attention a comment asks for: accounts, by name.
alter table comments add column mentions text[] not null default '{}';
create index comments_by_mention on comments using gin (mentions);
-- The order day an order's lines were proposed for, when that was over at the release.
alter table orders add column missed_order_on date;
