-- The product a substitute is ordered in place of; null for every other line.
alter table lines add column stands_in_for text;
