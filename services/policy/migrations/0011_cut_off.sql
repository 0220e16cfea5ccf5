-- Until when a supplier takes orders for the day (HH:MM), on the clock of the location the order is for.
alter table suppliers add column cut_off text;
alter table locations add column time_zone text not null default 'UTC';
