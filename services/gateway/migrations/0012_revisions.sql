-- Counts every transaction that changed what pages show of a tenant: an answer that was found at the same number still holds.
alter table live_heads add column revision bigint not null default 0;
