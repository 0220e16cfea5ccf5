-- Which order another one changes or cancels, so that each can be shown with the other.
alter table orders add column changes_order text;
create index orders_by_changed on orders (tenant, changes_order) where changes_order is not null;
