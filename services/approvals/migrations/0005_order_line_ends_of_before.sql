-- Orders that were answered before the end of each line was kept (0004): what their status and the queue's lines still say.
-- Of lines that have gone on to their item's next recommendation `./run rebuild approvals` reads it from the answers.
do $$
declare one text;
begin
  -- The wall stands before the owner of the tables too.
  for one in select tenant from tenants loop
    perform set_config('app.tenant', one, true);
    insert into order_line_ends (tenant, order_id, sku, how, ended_at)
    select distinct o.tenant, o.order_id, l.sku,
      case when exists (
        select from orders c join order_lines cl using (tenant, order_id)
        where c.tenant = o.tenant and c.changes_order = o.order_id and c.kind = 'cancel' and c.status = 'confirmed' and cl.sku = l.sku
      ) then 'cancelled' else 'received' end,
      o.updated_at
    from orders o join order_lines l using (tenant, order_id)
    left join lines q on q.tenant = o.tenant and q.order_id = o.order_id and q.line_id = l.line_id
    where o.kind not in ('change', 'cancel') and (o.status = 'received' or q.state = 'closed')
    on conflict do nothing;
  end loop;
end $$;
