-- A session the identity provider vouches for ends when the provider takes its word back: told by the provider (`sign_on_sid`,
-- OpenID Connect Back-Channel Logout 1.0), or found when the gateway asks again with the refresh token, which is kept sealed.
alter table sessions add column sign_on_sid text, add column refresh_token bytea, add column checked_at timestamptz;
create index sessions_to_check on sessions (tenant, checked_at) where refresh_token is not null;
create index sessions_by_sid on sessions (tenant, sign_on_sid) where sign_on_sid is not null;
