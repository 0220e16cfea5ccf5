-- Of a young item's last forecast: the like items it was borrowed from, and how much of it is theirs. Null: it speaks for itself.
alter table forecasts add column likeness jsonb;
