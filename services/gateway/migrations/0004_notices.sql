-- What people and other systems asked to be told, and every attempt to tell them.
create table webhooks (
  tenant text not null,
  webhook_id text not null,
  url text not null,
  kinds text[] not null,
  -- Signing needs the secret itself; both are kept while one replaces the other. Never in an answer after the first.
  secret text not null,
  former_secret text,
  former_until timestamptz,
  created_by text not null,
  created_at timestamptz not null,
  disabled_at timestamptz,
  disabled_because text,
  primary key (tenant, webhook_id)
);
select protect('webhooks');

create table notices (
  tenant text not null,
  notice_id text not null,
  seq bigint generated always as identity,
  kind text not null check (kind in ('assigned', 'escalated', 'due', 'released')),
  recipient text,
  body jsonb not null,
  at timestamptz not null,
  mailed_at timestamptz,
  -- Whoever mails it now has it until then; a process that dies leaves it to the next.
  mail_after timestamptz not null default clock_timestamp(),
  primary key (tenant, notice_id)
);
create index notices_to_mail on notices (tenant, seq) where mailed_at is null;
select protect('notices');

create table deliveries (
  tenant text not null,
  webhook_id text not null,
  notice_id text not null,
  state text not null check (state in ('waiting', 'delivered', 'failed')),
  attempts integer not null default 0,
  next_at timestamptz not null,
  last_status integer,
  last_error text,
  delivered_at timestamptz,
  primary key (tenant, webhook_id, notice_id),
  foreign key (tenant, webhook_id) references webhooks (tenant, webhook_id) on delete cascade,
  foreign key (tenant, notice_id) references notices (tenant, notice_id) on delete cascade
);
create index deliveries_due on deliveries (tenant, next_at) where state = 'waiting';
select protect('deliveries');
