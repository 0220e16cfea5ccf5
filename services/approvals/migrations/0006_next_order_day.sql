-- Until when a line still counts for its order day, and the order day and arrival after that.
alter table recommendations add column order_until timestamptz;
alter table recommendations add column next_order_on date;
alter table recommendations add column next_arrive_on date;
-- The order day the lines were proposed for, when it was over at the release.
alter table orders add column missed_order_on date;
