-- A rebuild under way: up to where it reads, what it must not leave behind, and the digest it has to come back to. The
-- service does not start while the row is there, because it would say again what it has said before.
create table rebuilds (
  one boolean primary key default true check (one),
  started_at timestamptz not null default clock_timestamp(),
  until jsonb not null,
  quiet jsonb not null,
  digest jsonb not null
);
