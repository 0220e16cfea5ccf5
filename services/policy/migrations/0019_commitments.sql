-- Customer commitments somebody has told of, by a reservation or a backorder: only those can be released or served.
create table commitments (
  tenant text not null,
  commitment_id text not null,
  primary key (tenant, commitment_id)
);
select protect('commitments');
