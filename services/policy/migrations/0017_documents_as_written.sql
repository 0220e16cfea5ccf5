-- A run writes a document of some 8 kB for each item it orders, and reads few of them again. To compress it PostgreSQL's own way
-- took a third of all the time the database spent on a run; LZ4 takes a tenth of that, and where the server was built without
-- it a document is kept as it was written. Documents that are there stay as they are.
do $$
begin
  alter table recommendations alter column document set compression lz4;
exception when feature_not_supported then
  alter table recommendations alter column document set storage external;
end
$$;
