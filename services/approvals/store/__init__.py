"""The approvals schema in Postgres, one module per aggregate. Every function works inside the caller's tenant transaction."""
