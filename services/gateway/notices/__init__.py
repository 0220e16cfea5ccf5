"""Telling people and systems outside the pages: signed webhooks and e-mail."""
