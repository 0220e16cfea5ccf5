-- What people said about lines.
create table comments (
  tenant text not null,
  comment_id text not null,
  line_id text not null,
  recommendation_id text not null,
  sku text not null,
  location text not null,
  text text not null,
  commented_by text not null,
  role text not null,
  commented_at timestamptz not null,
  primary key (tenant, comment_id)
);
create index comments_by_item on comments (tenant, sku, location, commented_at desc);
select protect('comments');
