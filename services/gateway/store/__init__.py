"""Postgres of the gateway: accounts and sessions, and the read models. Every statement runs behind the tenant wall."""
