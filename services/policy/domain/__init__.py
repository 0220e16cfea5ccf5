"""Replenishment decisions as pure functions: evidence in, recommendations or reasons why not out. No I/O, no clock."""
