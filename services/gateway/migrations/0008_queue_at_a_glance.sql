-- A list of lines reads neither their derivations nor their projections: those are ten times as long as the rest together.
-- The one thing a list shows out of a derivation is the class the line was planned by.
alter table lines add column item_class text
  generated always as (nullif(substring(steps::text from '"abc_class": ?"(\w+)"'), 'none')) stored;
-- What waits for a person, in the order of the queue: its first page costs a page, however much else there is.
create index lines_waiting on lines (tenant, rank_score desc, line_id) where status in ('pending', 'awaiting_second');
-- The newest business day of all items.
create index outcomes_by_origin on outcomes (tenant, origin);
