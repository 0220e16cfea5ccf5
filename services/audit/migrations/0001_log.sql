-- The tamper-evident log. A log's id is its tenant; `~platform` is the platform's own log of the tenants' checkpoints.
-- Grants and triggers only slow an insider down: the evidence is the checkpoints that others hold (docs/audit.md).

-- The growing edge of each log: all that is needed to append, and how far it was signed.
create table heads (
  tenant text primary key,
  size bigint not null default 0 check (size >= 0),
  stack bytea[] not null default '{}',
  last_signed_size bigint not null default 0 check (last_signed_size between 0 and size)
);

-- Entries: the canonical bytes that were hashed, and their leaf hash. event_hash stands for (source, id).
create table entries (
  tenant text not null,
  seq bigint not null check (seq >= 0),
  event_hash uuid not null,
  entry bytea not null check (octet_length(entry) between 2 and 65535),
  leaf bytea not null check (octet_length(leaf) = 32),
  primary key (tenant, seq),
  unique (tenant, event_hash)
);

-- Roots of full tiles of 256**(level + 1) entries, so that a proof needs a few reads and not the whole log.
create table tile_roots (
  tenant text not null,
  level smallint not null check (level between 0 and 7),
  index bigint not null check (index >= 0),
  root bytea not null check (octet_length(root) = 32),
  primary key (tenant, level, index)
);

create table checkpoints (
  tenant text not null,
  size bigint not null check (size >= 0),
  note text not null,
  signed_at timestamptz not null,
  primary key (tenant, size)
);

-- What witnesses answered: their signature lines for our checkpoints.
create table cosignatures (
  tenant text not null,
  size bigint not null,
  witness text not null,
  line text not null,
  primary key (tenant, size, witness),
  foreign key (tenant, size) references checkpoints (tenant, size)
);

-- The bytes entries commit to, found by their commitment: SHA-256 over salt (if there is one) and value.
-- Salt and value of a salted payload can be erased; the log stays verifiable.
create table payloads (
  tenant text not null,
  sha256 bytea not null check (octet_length(sha256) = 32),
  is_salted boolean not null,
  salt bytea check (octet_length(salt) = 32),
  value bytea,
  erased_at timestamptz,
  primary key (tenant, sha256),
  check (erased_at is null or (is_salted and salt is null and value is null)),
  check (erased_at is not null or (value is not null and is_salted = (salt is not null)))
);

-- What entries are looked up by; can be made again from the entries.
create table entry_terms (
  tenant text not null,
  seq bigint not null,
  type text not null,
  subject text not null,
  item text,
  thread text,
  actor text not null,
  occurred_at timestamptz not null,
  primary key (tenant, seq)
);
create index entry_terms_by_type on entry_terms (tenant, type, seq);
create index entry_terms_by_subject on entry_terms (tenant, subject, seq);
create index entry_terms_by_item on entry_terms (tenant, item, seq) where item is not null;
create index entry_terms_by_thread on entry_terms (tenant, thread, seq) where thread is not null;

-- Answers of the log's own checks, newest last.
create table self_checks (
  tenant text not null,
  checked_at timestamptz not null default clock_timestamp(),
  result jsonb not null,
  primary key (tenant, checked_at)
);

do $$
declare target text;
begin
  foreach target in array array['heads', 'entries', 'tile_roots', 'checkpoints', 'cosignatures', 'payloads', 'entry_terms', 'self_checks'] loop
    perform protect(target::regclass);
  end loop;
end $$;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log only grows: % on % is refused', tg_op, tg_table_name using errcode = 'insufficient_privilege';
end $$;

-- A payload changes in one way only: what was salted is erased, for ever.
create function refuse_unless_erasure() returns trigger language plpgsql as $$
begin
  if old.is_salted and old.erased_at is null and new.erased_at is not null and new.salt is null and new.value is null
     and (new.tenant, new.sha256, new.is_salted) = (old.tenant, old.sha256, old.is_salted) then
    return new;
  end if;
  raise exception 'a payload of the audit log can only be erased, and only where it was salted' using errcode = 'insufficient_privilege';
end $$;

do $$
declare target text;
begin
  foreach target in array array['entries', 'tile_roots', 'checkpoints', 'cosignatures'] loop
    execute format('revoke update, delete, truncate on %I from {app}', target);
    execute format('create trigger only_grows before update or delete on %I for each row execute function refuse_change()', target);
    execute format('create trigger never_emptied before truncate on %I for each statement execute function refuse_change()', target);
    -- "always": session_replication_role = replica walks past a plain trigger.
    execute format('alter table %I enable always trigger only_grows, enable always trigger never_emptied', target);
  end loop;
end $$;

revoke delete, truncate on payloads, heads, self_checks from {app};
revoke update on self_checks, payloads from {app};
grant update (salt, value, erased_at) on payloads to {app};
revoke update on heads from {app};
grant update (size, stack, last_signed_size) on heads to {app};
create trigger only_erased before update on payloads for each row execute function refuse_unless_erasure();
create trigger never_deleted before delete on payloads for each row execute function refuse_change();
create trigger never_emptied before truncate on payloads for each statement execute function refuse_change();
alter table payloads enable always trigger only_erased, enable always trigger never_deleted, enable always trigger never_emptied;
