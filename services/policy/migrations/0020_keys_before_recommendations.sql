-- Nobody looks a plan or a line beside an order up by its recommendation, and an index that begins with the tenant as the key does is
-- taken for as good as the key while PostgreSQL believes the table empty: a tenant's first run then read all its rows for each item.
-- Without it a plan is also written over in place, for which its page needs room.
drop index plans_of_recommendation;
alter table plans set (fillfactor = 50);
-- What decisions look up is the line. Begun with the line, the index is no rival of the key.
drop index lines_beside_by_recommendation;
create index lines_beside_of_line on lines_beside (line_id, tenant);
