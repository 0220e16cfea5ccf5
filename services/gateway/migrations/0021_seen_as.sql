-- In which of their roles a person looks at the workbench in this session; null: in all of them.
alter table sessions add column seen_as text check (seen_as in ('planner', 'approver', 'auditor', 'admin', 'viewer'));
