-- Who answers for each line that waits for a person, until when, and whose consent it takes. Beside `lines`, because an
-- assignment may be read before its recommendation.
create table assignments (
  tenant text not null,
  line_id text not null,
  recommendation_id text not null,
  version integer not null,
  owner text not null,
  due_at timestamptz,
  escalate_to text,
  escalated boolean not null,
  signatures text not null,
  asked_by text[] not null,
  assigned_at timestamptz not null,
  primary key (tenant, line_id)
);
create index assignments_of_owner on assignments (tenant, owner);
select protect('assignments');
