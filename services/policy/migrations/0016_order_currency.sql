-- In which currency a line was ordered: what is at stake when its supplier answers otherwise is in the same.
alter table supply add column currency text;
