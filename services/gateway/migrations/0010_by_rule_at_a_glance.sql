-- How many lines of the newest business day a rule approved stands above the queue: a count of a few, not a look at all lines.
create index lines_by_rule on lines (tenant, origin) where approved_by_rule and status in ('by_rule', 'released');
