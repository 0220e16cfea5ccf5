-- Which comments that name a person they have looked at. Theirs alone, and no event: it decides nothing.
create table seen_mentions (
  tenant text not null,
  username text not null,
  comment_id text not null,
  seen_at timestamptz not null,
  primary key (tenant, username, comment_id),
  foreign key (tenant, username) references accounts on delete cascade
);
select protect('seen_mentions');
grant select on seen_mentions to {reader};
