-- Which open order a recommendation, and the order it became, changes or cancels.
alter table recommendations add column changes_order text;
alter table orders add column changes_order text;
