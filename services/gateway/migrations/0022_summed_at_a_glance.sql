-- The totals of the queue are found anew with every change of it: all they add up stands here, so that the lines themselves,
-- of forty columns each, need not be read for it.
create index lines_summed on lines (tenant)
  include (sku, location, supplier, route_reasons, currency, money_at_risk, value, decided_value, status)
  where status in ('pending', 'awaiting_second');
