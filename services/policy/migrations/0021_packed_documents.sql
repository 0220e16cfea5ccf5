-- A published document is packed by the service that writes it (kit/packing.py): a seventh of its size, small enough to lie in its
-- row. What SQL reads of it, the steps that say what signals moved, stands in a column of its own.
alter table recommendations add column signals jsonb;
alter table recommendations no force row level security;
update recommendations r set signals = jsonb_build_object(
    'unit_cost', d.document->'unit_cost', 'currency', d.document->'currency',
    'steps', (select jsonb_agg(s.step) from jsonb_array_elements(d.document->'steps') s(step) where s.step->>'code' = 'scenario'))
  from (select tenant, recommendation_id, convert_from(document, 'utf8')::jsonb as document from recommendations
    where position('"scenario"'::bytea in document) > 0) d
  where d.tenant = r.tenant and d.recommendation_id = r.recommendation_id;
alter table recommendations force row level security;
alter table recommendations alter column document set storage external;
alter table recommendations set (toast_tuple_target = 4096);
alter table outbox set (toast_tuple_target = 4096);
