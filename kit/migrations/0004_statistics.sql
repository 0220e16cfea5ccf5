-- Lets the service's role have the planner's statistics of its tables counted anew, which only their owner may do.
create function analyze_table(target regclass) returns void language plpgsql security definer set search_path = {schema}, pg_temp as $$
begin
  if not exists (select from pg_class where oid = target and relnamespace = '{schema}'::regnamespace) then
    raise exception '% is not a table of {schema}', target;
  end if;
  execute format('analyze %s', target);
end $$;
revoke all on function analyze_table(regclass) from public;
grant execute on function analyze_table(regclass) to {app};
