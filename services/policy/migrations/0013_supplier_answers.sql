-- What was ordered, to hold the supplier's answers against: from whom, for which day and at which cost.
alter table supply add column supplier text;
alter table supply add column promised_on date;
alter table supply add column unit_cost numeric(16,4);
