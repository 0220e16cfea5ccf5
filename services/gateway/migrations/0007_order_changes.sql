-- Which open order a line changes or cancels.
alter table lines add column changes_order text;
