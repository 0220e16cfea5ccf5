-- Who may come in. Passwords as argon2id, bearer secrets as SHA-256 of 256 random bits; no secret is ever stored.
create table accounts (
  tenant text not null,
  username text not null check (username = lower(username)),
  name text not null,
  roles text[] not null,
  password_hash text not null,
  active boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  last_sign_in_at timestamptz,
  primary key (tenant, username)
);
select protect('accounts');

create table sessions (
  tenant text not null,
  token_sha256 bytea not null,
  username text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (tenant, token_sha256),
  foreign key (tenant, username) references accounts on delete cascade
);
create index sessions_by_expiry on sessions (expires_at);
select protect('sessions');

create table api_keys (
  tenant text not null,
  key_id text not null,
  name text not null,
  prefix text not null,
  secret_sha256 bytea not null,
  scopes text[] not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,
  primary key (tenant, key_id),
  unique (tenant, secret_sha256)
);
select protect('api_keys');

create table preferences (
  tenant text not null,
  username text not null,
  body jsonb not null,
  primary key (tenant, username),
  foreign key (tenant, username) references accounts on delete cascade
);
select protect('preferences');
