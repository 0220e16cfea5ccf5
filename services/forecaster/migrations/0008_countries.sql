-- Where a location is, for the holidays of its country and region (ISO 3166-1 and 3166-2). Rows from before this migration
-- have none until the location is defined again, or the forecaster's derived tables are rebuilt from the catalogue topic.
alter table catalogue_locations add column country text, add column region text;
