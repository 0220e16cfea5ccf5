-- Since when a person is asked. Assignments that were told before this was said are as old as they look.
alter table assignments add column asked_since timestamptz;
