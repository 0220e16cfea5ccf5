-- What came of each ordered line. The queue's line does not tell: it goes on to its item's next recommendation while the
-- goods are still on their way. Rows are added, never changed: what came first counts.
create table order_line_ends (
  tenant text not null,
  order_id text not null,
  sku text not null,
  how text not null check (how in ('received', 'cancelled')),
  ended_at timestamptz not null,
  primary key (tenant, order_id, sku),
  foreign key (tenant, order_id) references orders (tenant, order_id)
);
select protect('order_line_ends');
revoke update, delete on order_line_ends from {app};
