-- The business day an answer to an order speaks of: whether goods came in time is a matter of days there, not of our clock.
alter table order_updates add column business_date date;
