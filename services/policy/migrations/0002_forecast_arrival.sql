-- When a forecast arrived: a location is planned once its forecasts have all come, or nothing more has come for a while.
alter table forecasts add column received_at timestamptz not null default clock_timestamp();
