"""The stranger's check: an exported log in, what is proven or the first break out. Never reads the database.

It shares with the writer the hashing and parsing of `domain` and nothing else.
"""

from services.audit.verify.command import main

__all__ = ["main"]
