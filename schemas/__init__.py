"""The contracts: every topic and every message. Imports pydantic and the standard library only."""
