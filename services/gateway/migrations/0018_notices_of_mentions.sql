-- Somebody named in a comment is told of it.
alter table notices drop constraint notices_kind_check;
alter table notices add constraint notices_kind_check check (kind in ('assigned', 'escalated', 'due', 'released', 'mentioned'));
