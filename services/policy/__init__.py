"""Owns stock positions (the sum of a movement ledger) and planning. Reads sales, stock, catalogue, forecasts, decisions and
orders; publishes recommendations with their evidence, reasons where there is none, and exceptions. The same evidence always
gives the same recommendation, byte for byte."""
