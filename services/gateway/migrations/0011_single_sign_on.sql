-- People whom an identity provider vouches for have an account without a password. Who they are is issuer and subject
-- (OpenID Connect Core 1.0 §5.7); a name is only what others read.
alter table accounts alter column password_hash drop not null;
alter table accounts add column sign_on_issuer text, add column sign_on_subject text;
alter table accounts add constraint one_way_in check (
  (sign_on_issuer is null) = (sign_on_subject is null) and (password_hash is not null or sign_on_subject is not null)
);
create unique index accounts_by_sign_on on accounts (tenant, sign_on_issuer, sign_on_subject);
