"""The contracts: every topic, every message, and the envelope around them. Imports pydantic and the standard library only."""
