-- What the money at stake of an exception is in; null where none is at stake, or an older event did not say.
alter table exceptions add column currency text;
