"""Postgres: the log's rows, each function inside a transaction that already sees one tenant (`kit.database.scope`)."""
